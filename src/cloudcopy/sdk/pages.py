"""Lists, fetched page by page as the caller goes on."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import aclosing
from typing import Any, Generic, Protocol, TypeVar

Thing = TypeVar("Thing")
Params = Mapping[str, str | int]


class Page(Protocol[Thing]):
    """What every list of the API answers with."""

    data: list[Thing]
    next_cursor: str | None


class Listing(Generic[Thing]):
    """All of something: ``async for each in listing`` reads page after page, ``await listing``
    the whole."""

    def __init__(self, read: AsyncGenerator[Thing, None]) -> None:
        self._read = read

    def __aiter__(self) -> AsyncIterator[Thing]:
        return self._read

    def __await__(self) -> Generator[Any, Any, list[Thing]]:
        return self._all().__await__()

    async def _all(self) -> list[Thing]:
        async with aclosing(self._read) as found:
            return [each async for each in found]


async def pages(
    fetch: Callable[[Params], Awaitable[Page[Thing]]], filters: Params
) -> AsyncGenerator[Thing, None]:
    """What is on all pages, in the server's order. None is asked for before the one in front of
    it has been read."""
    params = dict(filters)
    while True:
        page = await fetch(params)
        for each in page.data:
            yield each
        if page.next_cursor is None:
            return
        params["cursor"] = page.next_cursor
