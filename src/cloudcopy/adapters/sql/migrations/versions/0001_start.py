"""The tables of the first release, and the one account there is."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    accounts = op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.bulk_insert(accounts, [{"id": 1, "name": "default"}])
    _people_and_machines()
    _connections()
    _transfers()
    if op.get_bind().dialect.name == "sqlite":  # elsewhere `Identity` says where to start
        sequence = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
        op.bulk_insert(
            sequence, [{"name": "instances", "seq": 100}, {"name": "connections", "seq": 1000}]
        )


def _people_and_machines() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
    )
    op.create_index("ix_keys_account", "keys", ["account"])
    op.create_table(
        "machines",
        sa.Column("id", sa.Integer, sa.Identity(start=1), primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_machines_account", "machines", ["account"])
    op.create_table(
        "join_tokens",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("used_by", sa.Integer, sa.ForeignKey("machines.id")),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer, sa.Identity(start=101), primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("machine", sa.Integer, sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("actual_status", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("machine", "label", name="uq_instances_machine_label"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_instances_account", "instances", ["account"])


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", sa.Integer, sa.Identity(start=1001), primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cloud_type", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("sealed_box", sa.LargeBinary),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    not_removed = sa.not_(sa.column("removed", sa.Boolean))
    op.create_index(
        "uq_connections_account_name",
        "connections",
        ["account", "name"],
        unique=True,
        sqlite_where=not_removed,
        postgresql_where=not_removed,
    )


def _transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("machine", sa.Integer, sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("instance", sa.Integer, sa.ForeignKey("instances.id"), nullable=False),
        sa.Column("connection", sa.Integer, sa.ForeignKey("connections.id"), nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("local", sa.Text, nullable=False),
        sa.Column("remote", sa.Text, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("fence", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("progress", sa.JSON),
        sa.Column("progress_at", _MOMENT),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("live_order", sa.Text),
        sa.UniqueConstraint(
            "account", "idempotency_key", name="uq_transfers_account_idempotency_key"
        ),
        sa.UniqueConstraint("account", "live_order", name="uq_transfers_account_live_order"),
    )
    op.create_index("ix_transfers_account_id", "transfers", ["account", "id"])
    op.create_index("ix_transfers_instance_id", "transfers", ["instance", "id"])
    op.create_index("ix_transfers_machine_state", "transfers", ["machine", "state"])
    op.create_index("ix_transfers_instance_state", "transfers", ["instance", "state"])
    op.create_index("ix_transfers_connection_state", "transfers", ["connection", "state"])
