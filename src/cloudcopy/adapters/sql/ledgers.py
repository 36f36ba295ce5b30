"""Ledgers within one transaction; see `ports.store.Ledgers`."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql.database import insert_if_new
from cloudcopy.adapters.sql.tables import ledger_chunks, transfers
from cloudcopy.domain.order import TransferId

_PUT = insert_if_new(ledger_chunks)
PRUNED_AT_ONCE = 200  # chunks of 100 KB or so: other writers should not wait for long


class SqlLedgers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(
        self, id: TransferId, attempt: int, number: int, data: bytes, *, rows: int
    ) -> None:
        row = {"transfer": id, "attempt": attempt, "number": number, "rows": rows, "data": data}
        await self._connection.execute(_PUT, row)

    async def count(self, id: TransferId, attempt: int) -> int:
        c = ledger_chunks.c
        found = await self._connection.execute(
            select(func.count(), func.max(c.number)).where(c.transfer == id, c.attempt == attempt)
        )
        count, last = found.one()
        if count == 0 or last == count - 1:
            return int(count)
        numbers = await self._connection.execute(
            select(c.number).where(c.transfer == id, c.attempt == attempt).order_by(c.number)
        )
        return next((at for at, number in enumerate(numbers.scalars()) if at != number), int(count))

    async def prune(self, *, before: datetime) -> int:
        c = ledger_chunks.c
        old = (
            select(c.transfer, c.attempt, c.number)
            .join(transfers, transfers.c.id == c.transfer)
            .where(transfers.c.ended_at < before)
            .limit(PRUNED_AT_ONCE)
        )
        found = (await self._connection.execute(old)).all()
        for row in found:
            await self._connection.execute(
                delete(ledger_chunks).where(
                    c.transfer == row.transfer, c.attempt == row.attempt, c.number == row.number
                )
            )
        return len(found)
