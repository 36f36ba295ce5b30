"""API keys within one transaction; see `ports.store.Keys`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.tables import keys
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import AccountId

_c: Final = keys.c
# No row is ever removed, so the largest number is the last one given.
_NEXT: Final = select(func.coalesce(func.max(_c.number), 0) + 1).scalar_subquery()
_AT: Final = bindparam("used_at", type_=_c.last_used_at.type)
_USED: Final = (
    update(keys)
    .where(_c.id == bindparam("of"), or_(_c.last_used_at.is_(None), _c.last_used_at < _AT))
    .values(last_used_at=_AT)
)


class SqlKeys:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, key: Key) -> Key:
        rate = key.rights.rate
        number = await self._connection.scalar(
            insert(keys)
            .values(
                id=key.id,
                account=key.account,
                name=key.name,
                digest=key.digest,
                created_at=key.created_at,
                revoked_at=key.revoked_at,
                number=_NEXT,
                permissions=key.rights.permissions.as_json(),
                expires_at=key.rights.expires_at,
                per_second=rate.per_second if rate else None,
                burst=rate.burst if rate else None,
                made_with=key.made_with,
            )
            .returning(_c.number)
        )
        return replace(key, number=number or 0)

    async def get(self, id: KeyId) -> Key | None:
        found = await self._connection.execute(select(keys).where(_c.id == id))
        row = found.mappings().one_or_none()
        return None if row is None else rows.key(row)

    async def revoke(
        self, id: KeyId, *, account: AccountId, at: datetime, spared: KeyId | None = None
    ) -> Sequence[KeyId]:
        """The first time stays."""
        line = select(_c.id).where(_c.id == id, _c.account == account).cte("line", recursive=True)
        made = keys.alias("made")
        line = line.union(
            select(made.c.id)
            .join(line, made.c.made_with == line.c.id)
            .where(made.c.account == account, made.c.id != spared)
        )
        revoked = await self._connection.execute(
            update(keys)
            .where(_c.id.in_(select(line.c.id)))
            .values(revoked_at=func.coalesce(_c.revoked_at, at))
            .returning(_c.id)
        )
        found = [KeyId(each) for each in revoked.scalars()]
        if not found:
            raise NotFound("key", id)
        return found

    async def used(self, when: Mapping[KeyId, datetime]) -> None:
        if when:
            await self._connection.execute(
                _USED, [{"of": id, "used_at": at} for id, at in when.items()]
            )
