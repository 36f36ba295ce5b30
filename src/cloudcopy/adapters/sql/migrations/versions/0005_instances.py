"""Instances that were created here, SSH keys, and questions to machines."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("machines", sa.Column("hardware", sa.JSON))
    for column in (
        sa.Column("intended", sa.Text),
        sa.Column("called", sa.Text),
        sa.Column("boot", sa.Integer),
        sa.Column("image", sa.Text),
        sa.Column("onstart", sa.Text),
        sa.Column("args", sa.JSON),
        sa.Column("disk_gb", sa.Float),
        sa.Column("text", sa.Text),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("sealed_box", sa.LargeBinary),
        sa.Column("gone_at", _MOMENT),
    ):
        op.add_column("instances", column)
    op.create_table(
        "ssh_keys",
        sa.Column("id", sa.Integer, sa.Identity(start=1), primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False, index=True),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "instance_keys",
        sa.Column("instance", sa.Integer, sa.ForeignKey("instances.id"), primary_key=True),
        sa.Column("ssh_key", sa.Integer, sa.ForeignKey("ssh_keys.id"), primary_key=True),
    )
    op.create_table(
        "questions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("instance", sa.Integer, sa.ForeignKey("instances.id"), nullable=False),
        sa.Column("machine", sa.Integer, sa.ForeignKey("machines.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("tail", sa.Integer, nullable=False),
        sa.Column("filter", sa.Text, nullable=False),
        sa.Column("daemon", sa.Boolean, nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("answered_at", _MOMENT),
        sa.Column("answer", sa.Text),
    )
    op.create_index("ix_questions_machine_answered_at", "questions", ["machine", "answered_at"])
    op.create_index("ix_questions_asked_at", "questions", ["asked_at"])
