"""Where transfers, plans and checks are asked for, and listed: the same for all three."""

from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Final

from pydantic import BaseModel

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import NotFound
from cloudcopy.sdk.pages import pages
from cloudcopy.sdk.waiting import Transfer
from cloudcopy.wire.v1 import TransferPage, TransferView

PAGE_SIZE: Final = 50
_EITHER: Final = ("connection", "source_instance", "direction")


class Orders:
    """One of the three, e.g. ``plan``: at ``/v1/plans``."""

    def __init__(self, calls: Calls, new_idempotency_key: Callable[[], str], kind: str) -> None:
        self._calls = calls
        self._new_idempotency_key = new_idempotency_key
        self._kind = kind
        self._root = f"/v1/{kind}s"

    async def submit(self, body: BaseModel, path: str | None = None) -> Transfer:
        """Ask for one, at `path` or the kind's own. Returns once it is durable.

        A call that had to be tried again still asks for one: every try carries the same
        Idempotency-Key.
        """
        made = await self._calls.post(
            path or self._root,
            TransferView,
            body=_written(body),
            headers={"Idempotency-Key": self._new_idempotency_key()},
            repeatable=True,
        )
        return Transfer.of(made, self._calls)

    async def get(self, id: str) -> TransferView:
        return await self._calls.get(self.path(id), TransferView)

    def list(
        self, filters: Mapping[str, str | int], *, page_size: int
    ) -> AsyncGenerator[TransferView, None]:
        """All that fit, newest first, fetched page by page as the caller goes on."""
        fetch = partial(self._calls.get, self._root, TransferPage)
        return pages(fetch, {**filters, "limit": page_size})

    def path(self, id: str) -> str:
        """Where the one called `id` is.

        Anything but letters, digits and ``_`` could name another path.
        """
        if not (id.isascii() and id.replace("_", "").isalnum()):
            raise NotFound(
                404,
                f"{id!r} is not a {self._kind}'s id.",
                code=f"no_such_{self._kind}",
                next=("See them all with: cloudcopy transfer list.",),
            )
        return f"{self._root}/{id}"


def _written(body: BaseModel) -> dict[str, object]:
    """The body without the side that is not there: an older server does not know them all."""
    whole = body.model_dump(mode="json")
    return {
        name: value for name, value in whole.items() if value is not None or name not in _EITHER
    }
