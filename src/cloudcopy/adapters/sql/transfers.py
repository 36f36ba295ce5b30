"""Transfers within one transaction; see `ports.store.Transfers`."""

from collections.abc import Collection, Mapping, Sequence
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
_REMEMBER_FIRST: Final = insert(transfer_events).values(number=1)
_ONCE: Final = {
    column: select(transfers).where(
        transfers.c.account == bindparam("account"),
        column.in_(bindparam("values", expanding=True)),
    )
    for column in (transfers.c.idempotency_key, transfers.c.live_order)
}
_ADMITTED: Final = select(transfers.c.id).where(
    transfers.c.id.in_(bindparam("ids", expanding=True)), transfers.c.admitted
)
_Name = tuple[AccountId, str, str]  # whose, the column, and its value


class SqlTransfers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, transfer: Transfer, once: Once) -> Transfer:
        """The unique constraints decide, not a look beforehand: that would race wherever
        there is more than one writer."""
        row = _row(transfer, once)
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

    async def add_all(self, new: Sequence[tuple[Transfer, Once]]) -> Sequence[Transfer | Conflict]:
        """A look beforehand decides, where nobody else writes meanwhile. Where somebody does, a
        unique constraint refuses them all; one alone is added as by `add`."""
        if len(new) == 1:
            try:
                return [await self.add(*new[0])]
            except Conflict as error:
                return [error]
        known = await self._known(new)
        added: list[tuple[Transfer, Once]] = []
        outcomes: list[Transfer | Conflict] = []
        for transfer, once in new:
            names = _names(transfer.account, once)
            earlier = next((known[name] for name in names if name in known), None)
            if earlier is None:
                earlier = transfer, once.body
                added.append((transfer, once))
                known |= dict.fromkeys(names, earlier)
            by_key = once.key is not None and names[0] in known
            reused = by_key and known[names[0]][1] != once.body
            outcomes.append(_reused() if reused else earlier[0])
        if added:
            await self._connection.execute(_ADD, [_row(*each) for each in added])
            events = [_event(transfer, at=transfer.created_at) for transfer, _ in added]
            await self._connection.execute(_REMEMBER_FIRST, events)
        return outcomes

    async def _known(
        self, new: Sequence[tuple[Transfer, Once]]
    ) -> dict[_Name, tuple[Transfer, str]]:
        """The transfers that one of these may repeat, each with the digest of its request."""
        known: dict[_Name, tuple[Transfer, str]] = {}
        names = {name for transfer, once in new for name in _names(transfer.account, once)}
        for account, column in {name[:2] for name in names}:
            values = [value for *place, value in names if place == [account, column]]
            found = await self._connection.execute(
                _ONCE[transfers.c[column]], {"account": account, "values": values}
            )
            for row in found.mappings():
                digest = row[transfers.c.request_digest]
                known[account, column, row[transfers.c[column]]] = rows.transfer(row), digest
        return known

    async def _remember(self, transfer: Transfer, *, at: datetime) -> None:
        await self._connection.execute(_REMEMBER, {"of": transfer.id, **_event(transfer, at=at)})

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
                raise _reused()
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
        if transfer.state.final or transfer.state.want != "run":
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

    async def admitted(self, ids: Sequence[TransferId]) -> Collection[TransferId]:
        found = await self._connection.execute(_ADMITTED, {"ids": ids})
        return {TransferId(row.id) for row in found}

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


def _names(account: AccountId, once: Once) -> list[_Name]:
    """Under what a transfer is known as this one, the first that counts first."""
    given = (("idempotency_key", once.key), ("live_order", once.order))
    return [(account, column, value) for column, value in given if value is not None]


def _row(transfer: Transfer, once: Once) -> Mapping[str, object]:
    return {
        **rows.ordered(transfer),
        **rows.standing(transfer),
        "idempotency_key": once.key,
        "request_digest": once.body,
        "live_order": once.order,
    }


def _event(transfer: Transfer, *, at: datetime) -> Mapping[str, object]:
    return {
        "transfer": transfer.id,
        "at": at,
        "state": transfer.state.value,
        "attempt": transfer.attempt,
        "reason": transfer.reason,
    }


def _reused() -> Conflict:
    # Not for what: that may be of an instance that this caller's key does not reach.
    return Conflict(
        "This Idempotency-Key was used before, with another request.",
        code="idempotency_key_reused",
        next=("Send a new key with a new request.",),
    )
