"""The tables. What they must look like is made by `migrations/`; a test proves the two equal.

Ids that people see count up and are never used again, so that an old number in somebody's
notes can never come to mean another thing: hence `sqlite_autoincrement`, and rows of
removed connections that stay.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    not_,
    text,
)

FIRST_CONNECTION: Final = 1001  # so that nobody takes a connection's id for an instance's
FIRST_INSTANCE: Final = 101


class Moment(TypeDecorator[datetime]):
    """An instant. SQLite keeps no time zone: what is stored is UTC, what comes back is aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("operator", Boolean, nullable=False, server_default=false()),
)
Index("uq_accounts_name", accounts.c.name, unique=True)

keys: Final = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("permissions", JSON(none_as_null=True)),  # NULL: everything
    Column("expires_at", Moment),
    Column("per_second", Float),
    Column("burst", Integer),
    Column("last_used_at", Moment),
    Column("made_with", Text),
)
Index("uq_keys_number", keys.c.number, unique=True)

machines: Final = Table(
    "machines",
    metadata,
    Column("id", Integer, Identity(start=1), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment),
    Column("hardware", JSON(none_as_null=True)),  # NULL: no instances can be created on it
    sqlite_autoincrement=True,
)

join_tokens: Final = Table(
    "join_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_by", ForeignKey("machines.id")),
)

instances: Final = Table(
    "instances",
    metadata,
    Column("id", Integer, Identity(start=FIRST_INSTANCE), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("machine", ForeignKey("machines.id"), nullable=False),
    Column("label", Text, nullable=False),  # what its machine calls it
    Column("root", Text, nullable=False),
    Column("actual_status", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("intended", Text),  # NULL, as all that follow: it was announced, not created
    Column("called", Text),  # its label for people
    Column("boot", Integer),
    Column("image", Text),
    Column("onstart", Text),
    Column("args", JSON(none_as_null=True)),
    Column("disk_gb", Float),
    Column("text", Text),
    Column("sealed_key", LargeBinary),  # its environment
    Column("sealed_box", LargeBinary),
    Column("gone_at", Moment),
    UniqueConstraint("machine", "label"),
    sqlite_autoincrement=True,
)

connections: Final = Table(
    "connections",
    metadata,
    Column("id", Integer, Identity(start=FIRST_CONNECTION), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("cloud_type", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("sealed_key", LargeBinary),
    Column("sealed_box", LargeBinary),
    Column("created_at", Moment, nullable=False),
    Column("removed", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
Index(  # a removed connection gives its name back
    "uq_connections_account_name",
    connections.c.account,
    connections.c.name,
    unique=True,
    sqlite_where=not_(connections.c.removed),
    postgresql_where=not_(connections.c.removed),
)

transfers: Final = Table(
    "transfers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("machine", ForeignKey("machines.id"), nullable=False),
    Column("instance", ForeignKey("instances.id"), nullable=False),
    Column("connection", ForeignKey("connections.id"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("local", Text, nullable=False),
    Column("remote", Text, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fence", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("reason", Text, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("progress", JSON(none_as_null=True)),
    Column("progress_at", Moment),
    Column("idempotency_key", Text),
    Column("request_digest", Text, nullable=False),
    Column("live_order", Text),  # digest of the order while the transfer is live, else NULL
    Column("key", Text, nullable=False, server_default=""),
    Column("admitted", Boolean, nullable=False, server_default=false()),
    Column("bwlimit", Text, nullable=False, server_default=""),
    Column("scope", Text, nullable=False, server_default="all"),
    Column("work", Text, nullable=False, server_default="transfer"),
    Column("mode", Text, nullable=False, server_default="copy"),
    Column("verify", Text, nullable=False, server_default="hash"),
    Column("agreed", JSON(none_as_null=True)),
    UniqueConstraint("account", "idempotency_key"),
    UniqueConstraint("account", "live_order"),
    Index(None, "account", "id"),  # lists, newest first
    Index(None, "instance", "id"),  # an instance's latest
    Index(None, "machine", "state"),  # what is live, of each
    Index(None, "instance", "state"),
    Index(None, "connection", "state"),
    Index(  # who has a turn and who waits for one, by lane: see `turns`
        None, "account", "admitted", "state", "connection", "instance", "key", "id"
    ),
)

transfer_events: Final = Table(
    "transfer_events",
    metadata,
    Column("transfer", ForeignKey("transfers.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # counts from 1 in each transfer
    Column("at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

ledger_chunks: Final = Table(
    "ledger_chunks",
    metadata,
    Column("transfer", ForeignKey("transfers.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),  # counts from 0
    Column("rows", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

schedules: Final = Table(
    "schedules",
    metadata,
    Column("id", Integer, Identity(start=1), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("instance", ForeignKey("instances.id"), nullable=False),
    Column("connection", ForeignKey("connections.id"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("local", Text, nullable=False),
    Column("remote", Text, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("verify", Text, nullable=False),
    Column("bwlimit", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("start_at", Moment),
    Column("end_at", Moment),
    Column("jitter_seconds", Integer, nullable=False),
    Column("overlap", Text, nullable=False),
    Column("catch_up", Text, nullable=False),
    Column("pause_after", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("counted_from", Moment, nullable=False),
    Column("next_at", Moment),
    Column("due_at", Moment),  # `next_at` and its jitter
    Column("moved_at", Moment, nullable=False),
    Column("identity", Text),
    Column("paused", Text),
    Column("paused_why", Text, nullable=False),
    UniqueConstraint("account", "identity"),
    sqlite_autoincrement=True,
)

schedule_runs: Final = Table(
    "schedule_runs",
    metadata,
    Column("schedule", ForeignKey("schedules.id"), primary_key=True),
    Column("slot", Moment, primary_key=True),  # what makes a slot run once
    Column("outcome", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("manual", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("transfer", ForeignKey("transfers.id")),
    Column("missed", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_schedule_runs_waiting",
    schedule_runs.c.schedule,
    sqlite_where=schedule_runs.c.outcome == text("'waiting'"),
    postgresql_where=schedule_runs.c.outcome == text("'waiting'"),
)

ssh_keys: Final = Table(
    "ssh_keys",
    metadata,
    Column("id", Integer, Identity(start=1), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("public_key", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("removed", Boolean, nullable=False),  # from the account; instances keep it
    sqlite_autoincrement=True,
)

instance_keys: Final = Table(
    "instance_keys",
    metadata,
    Column("instance", ForeignKey("instances.id"), primary_key=True),
    Column("ssh_key", ForeignKey("ssh_keys.id"), primary_key=True),
)

questions: Final = Table(
    "questions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False),
    Column("instance", ForeignKey("instances.id"), nullable=False),
    Column("machine", ForeignKey("machines.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("tail", Integer, nullable=False),
    Column("filter", Text, nullable=False),
    Column("daemon", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("answer", Text),
    Index(None, "machine", "answered_at"),
    Index(None, "asked_at"),
)
