"""Transfers: ask for a copy, follow it, change it, and see what became of each file."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Literal

from cloudcopy.sdk import events, receipts, waiting
from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.events import Told
from cloudcopy.sdk.orders import PAGE_SIZE, Orders
from cloudcopy.sdk.waiting import Show, Transfer
from cloudcopy.wire.receipt import Receipt
from cloudcopy.wire.v1 import (
    Change,
    DirectionName,
    FileView,
    LevelName,
    NewTransfer,
    OutcomeName,
    Retry,
    ScopeName,
    StateName,
    TransferView,
    VerifyName,
    WorkName,
)


class Transfers:
    """`client.transfers`. Its ids may also be those of plans and checks, but for `create`."""

    def __init__(self, calls: Calls, new_idempotency_key: Callable[[], str]) -> None:
        self._calls = calls
        self._orders = Orders(calls, new_idempotency_key, "transfer")

    async def create(
        self,
        *,
        instance: int | str,
        connection: int | str | None = None,
        source_instance: int | str | None = None,
        direction: DirectionName | None = None,
        src: str,
        dst: str,
        flags: Sequence[str] = (),
        compare: LevelName | None = None,
        verify: VerifyName = "hash",
        bwlimit: str = "",
    ) -> Transfer:
        """Ask for a copy of what is inside `src` into `dst`. Returns once it is durable.

        A call that had to be tried again still asks for one copy.

        Args:
            connection: The cloud's side; `direction` says which side that is.
            source_instance: Instead of both, another instance: `src` is there.
            compare: When a file counts as there already; None leaves it to the flags.
            verify: How what was sent is proven, at most.
            bwlimit: Bytes per second, ``off`` or a timetable; `limit` changes it later.
        """
        body = NewTransfer(
            instance=instance,
            connection=connection,
            source_instance=source_instance,
            direction=direction,
            src=src,
            dst=dst,
            flags=[*flags],
            compare=compare,
            verify=verify,
            bwlimit=bwlimit,
        )
        return await self._orders.submit(body)

    async def get(self, id: str) -> TransferView:
        return await self._orders.get(id)

    def list(
        self,
        *,
        states: Iterable[StateName] = (),
        work: WorkName | None = None,
        instance: int | None = None,
        connection: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> AsyncGenerator[TransferView, None]:
        """Every transfer, plan and check, or those of one `work`; newest first, fetched page by
        page as the caller goes on."""
        filters: dict[str, str | int] = {}
        if wanted := ",".join(states):
            filters["state"] = wanted
        if work is not None:
            filters["work"] = work
        if instance is not None:
            filters["instance"] = instance
        if connection is not None:
            filters["connection"] = connection
        return self._orders.list(filters, page_size=page_size)

    async def cancel(self, id: str) -> TransferView:
        """Ask the machine to stop. A copy that has just finished stays succeeded."""
        return await self._ask(id, "cancel", repeatable=True)

    async def pause(self, id: str) -> TransferView:
        """Ask the machine to stop and keep what has arrived, until `resume`."""
        return await self._ask(id, "pause", repeatable=True)

    async def resume(self, id: str) -> TransferView:
        """Let a paused transfer go on, in another attempt."""
        return await self._ask(id, "resume", repeatable=False)

    async def retry(self, id: str, *, only: ScopeName = "all") -> TransferView:
        """Open another attempt of a transfer that failed, in part too, or was cancelled.

        With ``failed`` it is about the files alone that the attempt before left as failed.
        """
        body = Retry(only=only).model_dump(mode="json")
        return await self._calls.post(f"{self._orders.path(id)}/retry", TransferView, body=body)

    async def limit(self, id: str, bwlimit: str) -> TransferView:
        """Change the bandwidth of a transfer that has not ended; a running copy follows."""
        body = Change(bwlimit=bwlimit).model_dump(mode="json")
        return await self._calls.patch(self._orders.path(id), TransferView, body=body)

    async def files(
        self,
        id: str,
        *,
        outcomes: Iterable[OutcomeName] = (),
        prefix: str = "",
        attempt: int | None = None,
    ) -> AsyncGenerator[FileView, None]:
        """What became of each file, sorted by path, read as the caller goes on.

        Raises:
            Unreachable: the connection broke; what was yielded until then is right.
        """
        found = self.files_at_once(id, outcomes=outcomes, prefix=prefix, attempt=attempt)
        async with aclosing(found) as several:
            async for files in several:
                for each in files:
                    yield each

    async def files_at_once(
        self,
        id: str,
        *,
        outcomes: Iterable[OutcomeName] = (),
        prefix: str = "",
        attempt: int | None = None,
    ) -> AsyncGenerator[Sequence[FileView], None]:
        """The same, as many at once as a piece of the answer holds, some hundred at most."""
        path, params = self._files(id, outcomes, prefix, attempt)
        async with aclosing(self._calls.lines(path, params=params)) as several:
            async for lines in several:
                yield [self._calls.read(line, FileView, status=200) for line in lines]

    async def files_to(
        self,
        write: Callable[[bytes], object],
        id: str,
        *,
        outcomes: Iterable[OutcomeName] = (),
        prefix: str = "",
        attempt: int | None = None,
        format: Literal["jsonl", "csv"] = "jsonl",
    ) -> None:
        """The same as JSON lines or CSV, piece by piece, as the server sends it.

        Raises:
            Unreachable: the connection broke, so what was written is not the whole list.
        """
        path, params = self._files(id, outcomes, prefix, attempt)
        async with self._calls.stream(path, params=params | {"format": format}) as answer:
            async for piece in answer.aiter_bytes():
                write(piece)

    async def log(self, id: str) -> str:
        """The end of the engine's log, oldest line first."""
        return await self._calls.text(f"{self._orders.path(id)}/log")

    async def receipt(self, id: str) -> Receipt:
        """The signed receipt of a transfer that succeeded, wholly or in part."""
        return await receipts.fetch(self._calls, self._orders.path(id))

    def events(self, id: str) -> AsyncGenerator[Told, None]:
        """Every change of state from the first on, and the latest numbers in between, until the
        transfer has ended. A server that is away for less than about a minute is waited for."""
        return events.followed(self._calls, self._orders.path(id))

    def watch(self, id: str) -> AsyncGenerator[TransferView, None]:
        """The transfer, and again whenever it has changed, until it has ended; the last one is
        the end. How `wait` waits."""
        return waiting.watched(self._calls, self._orders.path(id))

    async def wait(self, id: str, on_progress: Show | None = None) -> TransferView:
        """Wait until the transfer has ended, whatever its end is, and return it.

        A paused one has not ended: somebody may resume it. `on_progress`, a function or a
        coroutine function, is called with the first view, then whenever it has changed, the
        final one included. The server's events are followed; where there are none, it is
        polled. A server that is away for less than about a minute is waited for.
        """
        return await waiting.end(self.watch(id), on_progress)

    async def _ask(self, id: str, verb: str, *, repeatable: bool) -> TransferView:
        path = f"{self._orders.path(id)}/{verb}"
        return await self._calls.post(path, TransferView, repeatable=repeatable)

    def _files(
        self, id: str, outcomes: Iterable[OutcomeName], prefix: str, attempt: int | None
    ) -> tuple[str, dict[str, str | int]]:
        params: dict[str, str | int] = {}
        if wanted := ",".join(outcomes):
            params["outcome"] = wanted
        if prefix:
            params["prefix"] = prefix
        if attempt is not None:
            params["attempt"] = attempt
        return f"{self._orders.path(id)}/files", params
