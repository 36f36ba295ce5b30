"""Transfers within one transaction; see `ports.store.Transfers`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Column, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.database import insert_if_new
from cloudcopy.adapters.sql.tables import transfer_events, transfers
from cloudcopy.adapters.sql.turns import give_turns
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Progress
from cloudcopy.domain.transfer import Transfer
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.store import Once

# Built once: building costs more than running.
_ADD: Final = insert(transfers)
_ADD_IF_NEW: Final = insert_if_new(transfers)
_e: Final = transfer_events.c
_NEXT: Final = (
    select(func.coalesce(func.max(_e.number), 0) + 1)
    .where(_e.transfer == bindparam("of"))
    .scalar_subquery()
)
_REMEMBER: Final = insert(transfer_events).values(number=_NEXT)


class SqlTransfers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, transfer: Transfer, once: Once) -> Transfer:
        """The unique constraints decide, not a look beforehand: that would race wherever
        there is more than one writer."""
        row = {
            **rows.ordered(transfer),
            **rows.standing(transfer),
            "idempotency_key": once.key,
            "request_digest": once.body,
            "live_order": once.order,
        }
        if once.key is not None or once.order is not None:
            if (await self._connection.execute(_ADD_IF_NEW, row)).rowcount == 1:
                await self._remember(transfer, at=transfer.created_at)
                return transfer
            repeated = await self._repeated(transfer.account, once)
            if repeated is not None:
                return repeated
        await self._connection.execute(_ADD, row)
        await self._remember(transfer, at=transfer.created_at)
        return transfer

    async def _remember(self, transfer: Transfer, *, at: datetime) -> None:
        event = {
            "of": transfer.id,
            "transfer": transfer.id,
            "at": at,
            "state": transfer.state.value,
            "attempt": transfer.attempt,
            "reason": transfer.reason,
        }
        await self._connection.execute(_REMEMBER, event)

    async def _repeated(self, account: AccountId, once: Once) -> Transfer | None:
        c = transfers.c
        for column, value in ((c.idempotency_key, once.key), (c.live_order, once.order)):
            if value is None:
                continue
            found = await self._connection.execute(
                select(transfers).where(c.account == account, column == value)
            )
            row = found.mappings().one_or_none()
            if row is None:
                continue
            if column is c.idempotency_key and row[c.request_digest] != once.body:
                # Not for what: that may be of an instance that this caller's key does not reach.
                raise Conflict(
                    "This Idempotency-Key was used before, with another request.",
                    code="idempotency_key_reused",
                    next=("Send a new key with a new request.",),
                )
            return rows.transfer(row)
        return None

    async def get(self, id: TransferId, *, account: AccountId | None = None) -> Transfer:
        query = select(transfers).where(transfers.c.id == id).with_for_update()
        if account is not None:
            query = query.where(transfers.c.account == account)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("transfer", id)
        return rows.transfer(row)

    async def save(self, transfer: Transfer, *, was: Transfer, at: datetime) -> bool:
        c = transfers.c
        saving = (
            update(transfers)
            .where(
                c.id == was.id,
                c.state == was.state.value,
                c.attempt == was.attempt,
                c.fence == was.fence,
            )
            .values(**rows.standing(transfer))
        )
        if transfer.state.final or transfer.want != "run":
            # The same order from now on is a new wish: this one will not be carried out.
            saving = saving.values(live_order=None)
        if transfer.attempt != was.attempt:  # the numbers were the other attempt's
            saving = saving.values(progress=None, progress_at=None)
        if (await self._connection.execute(saving)).rowcount != 1:
            return False
        if transfer.state is not was.state:
            await self._remember(transfer, at=at)
        return True

    async def live(self, machine: MachineId) -> Sequence[Transfer]:
        return await self._live_by(transfers.c.machine, machine)

    async def live_of(self, instance: InstanceId) -> Sequence[Transfer]:
        return await self._live_by(transfers.c.instance, instance)

    async def live_on(self, connection: ConnectionId) -> Sequence[Transfer]:
        return await self._live_by(transfers.c.connection, connection)

    async def _live_by(self, column: Column[int], value: int) -> Sequence[Transfer]:
        found = await self._connection.execute(
            select(transfers)
            .where(column == value, transfers.c.state.in_(rows.LIVE))
            .order_by(transfers.c.id)
        )
        return [rows.transfer(row) for row in found.mappings()]

    async def turns(self, account: AccountId, limits: Limits) -> Sequence[MachineId]:
        return await give_turns(self._connection, account, limits)

    async def limit(self, id: TransferId, bwlimit: str) -> None:
        c = transfers.c
        await self._connection.execute(
            update(transfers).where(c.id == id, c.state.in_(rows.LIVE)).values(bwlimit=bwlimit)
        )

    async def note(self, id: TransferId, fence: str, progress: Progress, *, at: datetime) -> None:
        c = transfers.c
        await self._connection.execute(
            update(transfers)
            .where(c.id == id, c.fence == fence, c.state.in_(rows.LIVE))
            .values(progress=rows.as_json(progress), progress_at=at)
        )
