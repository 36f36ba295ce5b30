"""Transfers: ask for a copy, follow it, stop it."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import NotFound, Unavailable, Unreachable
from cloudcopy.wire.v1 import DirectionName, NewTransfer, StateName, TransferPage, TransferView

FINAL_STATES: Final[frozenset[StateName]] = frozenset({"succeeded", "failed", "cancelled"})
PAGE_SIZE: Final = 50
FIRST_POLL_SECONDS: Final = 0.1  # a small copy ends within a second
SLOWEST_POLL_SECONDS: Final = 1.0  # agents report about once a second
MAX_MISSED_POLLS: Final = 12  # each takes its tries, about 4 s: a minute of silence


class Transfers:
    """`client.transfers`."""

    def __init__(self, calls: Calls, new_idempotency_key: Callable[[], str]) -> None:
        self._calls = calls
        self._new_idempotency_key = new_idempotency_key

    async def create(
        self,
        *,
        instance: int | str,
        connection: int | str,
        direction: DirectionName,
        src: str,
        dst: str,
        flags: Sequence[str] = (),
    ) -> TransferView:
        """Ask for a copy of what is inside `src` into `dst`. Returns once it is durable.

        A call that had to be tried again still asks for one copy: every try carries the
        same Idempotency-Key.
        """
        body = NewTransfer(
            instance=instance,
            connection=connection,
            direction=direction,
            src=src,
            dst=dst,
            flags=[*flags],
        )
        return await self._calls.post(
            "/v1/transfers",
            TransferView,
            body=body.model_dump(mode="json"),
            headers={"Idempotency-Key": self._new_idempotency_key()},
            repeatable=True,
        )

    async def get(self, id: str) -> TransferView:
        return await self._calls.get(_path(id), TransferView)

    async def list(
        self,
        *,
        states: Iterable[StateName] = (),
        instance: int | None = None,
        connection: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> AsyncGenerator[TransferView, None]:
        """Every transfer, newest first, fetched page by page as the caller goes on."""
        params: dict[str, str | int] = {"limit": page_size}
        if wanted := ",".join(states):
            params["state"] = wanted
        if instance is not None:
            params["instance"] = instance
        if connection is not None:
            params["connection"] = connection
        while True:
            page = await self._calls.get("/v1/transfers", TransferPage, params)
            for transfer in page.data:
                yield transfer
            if page.next_cursor is None:
                return
            params["cursor"] = page.next_cursor

    async def cancel(self, id: str) -> TransferView:
        """Ask the machine to stop. A copy that has just finished stays succeeded."""
        path = f"{_path(id)}/cancel"
        return await self._calls.post(path, TransferView, repeatable=True)

    async def retry(self, id: str) -> TransferView:
        """Open another attempt of a transfer that failed or was cancelled."""
        return await self._calls.post(f"{_path(id)}/retry", TransferView)

    async def wait(
        self, id: str, on_progress: Callable[[TransferView], None] | None = None
    ) -> TransferView:
        """Poll until the transfer has ended, whatever its end is, and return it.

        `on_progress` is called with the first view, then whenever it has changed, the final
        one included. A server that is away for less than about a minute is waited for.
        """
        seen: TransferView | None = None
        pause = FIRST_POLL_SECONDS
        missed = 0
        while True:
            try:
                now = await self.get(id)
            except (Unreachable, Unavailable):
                missed += 1
                if seen is None or missed > MAX_MISSED_POLLS:
                    raise
            else:
                missed = 0
                if now != seen and on_progress is not None:
                    on_progress(now)
                if now.state in FINAL_STATES:
                    return now
                seen = now
            await self._calls.sleep(pause)
            pause = min(SLOWEST_POLL_SECONDS, pause * 1.5)


def _path(id: str) -> str:
    """Where transfer `id` is. Anything but letters, digits and ``_`` could name another path."""
    if not (id.isascii() and id.replace("_", "").isalnum()):
        raise NotFound(
            404,
            f"{id!r} is not a transfer's id.",
            code="no_such_transfer",
            next=("See them all with: cloudcopy transfer list.",),
        )
    return f"/v1/transfers/{id}"
