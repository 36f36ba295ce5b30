"""Schedules and their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Integer, sa.Identity(start=1), primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("instance", sa.Integer, sa.ForeignKey("instances.id"), nullable=False),
        sa.Column("connection", sa.Integer, sa.ForeignKey("connections.id"), nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("local", sa.Text, nullable=False),
        sa.Column("remote", sa.Text, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("verify", sa.Text, nullable=False),
        sa.Column("bwlimit", sa.Text, nullable=False),
        sa.Column("cron", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("start_at", _MOMENT),
        sa.Column("end_at", _MOMENT),
        sa.Column("jitter_seconds", sa.Integer, nullable=False),
        sa.Column("overlap", sa.Text, nullable=False),
        sa.Column("catch_up", sa.Text, nullable=False),
        sa.Column("pause_after", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("counted_from", _MOMENT, nullable=False),
        sa.Column("next_at", _MOMENT),
        sa.Column("due_at", _MOMENT),
        sa.Column("moved_at", _MOMENT, nullable=False),
        sa.Column("identity", sa.Text),
        sa.Column("paused", sa.Text),
        sa.Column("paused_why", sa.Text, nullable=False),
        sa.UniqueConstraint("account", "identity", name="uq_schedules_account_identity"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "schedule_runs",
        sa.Column("schedule", sa.Integer, sa.ForeignKey("schedules.id"), primary_key=True),
        sa.Column("slot", _MOMENT, primary_key=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("manual", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("transfer", sa.Text, sa.ForeignKey("transfers.id")),
        sa.Column("missed", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    waiting = sa.column("outcome", sa.Text) == sa.text("'waiting'")
    op.create_index(
        "ix_schedule_runs_waiting",
        "schedule_runs",
        ["schedule"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
