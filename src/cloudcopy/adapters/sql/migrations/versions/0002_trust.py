"""Plans and checks, turns, histories and ledgers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("key", sa.Text, nullable=False, server_default=""),
        sa.Column("admitted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("bwlimit", sa.Text, nullable=False, server_default=""),
        sa.Column("scope", sa.Text, nullable=False, server_default="all"),
        sa.Column("work", sa.Text, nullable=False, server_default="transfer"),
        sa.Column("mode", sa.Text, nullable=False, server_default="copy"),
        sa.Column("verify", sa.Text, nullable=False, server_default="hash"),
        sa.Column("agreed", sa.JSON),
    ):
        op.add_column("transfers", column)
    op.create_index(
        "ix_transfers_account_admitted_state_connection_instance_key_id",
        "transfers",
        ["account", "admitted", "state", "connection", "instance", "key", "id"],
    )
    _give_their_turn_to_what_agents_know()
    op.create_table(
        "transfer_events",
        sa.Column("transfer", sa.Text, sa.ForeignKey("transfers.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_chunks",
        sa.Column("transfer", sa.Text, sa.ForeignKey("transfers.id"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _give_their_turn_to_what_agents_know() -> None:
    """Until now agents were told of every live transfer, so any may be running."""
    transfers = sa.table(
        "transfers", sa.column("state", sa.Text), sa.column("admitted", sa.Boolean)
    )
    live = transfers.c.state.in_(["queued", "running", "cancelling"])
    op.execute(transfers.update().where(live).values(admitted=sa.true()))
