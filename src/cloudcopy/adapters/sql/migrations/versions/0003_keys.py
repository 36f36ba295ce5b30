"""What keys may do, until when and how often; operators; numbers for the compatible API.

Keys that were there may do everything, as before, and the first account is an operator's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "accounts", sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("uq_accounts_name", "accounts", ["name"], unique=True)
    accounts = sa.table("accounts", sa.column("id", sa.Integer), sa.column("operator", sa.Boolean))
    op.execute(accounts.update().where(accounts.c.id == 1).values(operator=sa.true()))
    for column in (
        sa.Column("number", sa.Integer, nullable=False, server_default="0"),
        sa.Column("permissions", sa.JSON),
        sa.Column("expires_at", _MOMENT),
        sa.Column("per_second", sa.Float),
        sa.Column("burst", sa.Integer),
        sa.Column("last_used_at", _MOMENT),
        sa.Column("made_with", sa.Text),
    ):
        op.add_column("keys", column)
    _number_them()
    op.create_index("uq_keys_number", "keys", ["number"], unique=True)


def _number_them() -> None:
    """In the order in which they were made."""
    keys = sa.table(
        "keys",
        sa.column("id", sa.Text),
        sa.column("number", sa.Integer),
        sa.column("created_at", _MOMENT),
    )
    other = keys.alias()
    earlier = sa.or_(
        other.c.created_at < keys.c.created_at,
        sa.and_(other.c.created_at == keys.c.created_at, other.c.id <= keys.c.id),
    )
    count = sa.select(sa.func.count()).select_from(other).where(earlier).scalar_subquery()
    op.execute(keys.update().values(number=count))
