"""The bridge from the async client to callers that block: its loop runs in a thread of its own.

So it works where a loop runs already (a notebook), in any thread, and where there is none. A
method of the async client becomes a blocking one with the same arguments by one line:

    get = blocking(Transfers.get)

No signature is written twice, and type checkers see the one that there is.
"""

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, cast, overload

CLOSING_SECONDS: Final = 5.0  # until the thread of a loop that closes is left to itself

N = TypeVar("N")
P = ParamSpec("P")
R = TypeVar("R")
Made = TypeVar("Made")


class Loop:
    """An event loop in a thread, which begins with the first call.

    The thread is a daemon: a program that forgets to close it ends all the same.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def begun(self) -> bool:
        """Whether there is something to close: a thread, and maybe connections."""
        return self._thread is not None and self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do `work` and return what comes of it. Ctrl-C in the caller's thread cancels it.

        Raises:
            RuntimeError: the client is closed, was made before this process was forked, or is
                called from its own thread, which would wait for itself.
        """
        try:
            loop = self._running()
        except RuntimeError:
            work.close()
            raise
        call = _Call(work)
        try:
            return asyncio.run_coroutine_threadsafe(call.run(), loop).result()
        except BaseException:
            with suppress(RuntimeError):  # the loop has ended, and the call with it
                loop.call_soon_threadsafe(call.give_up)
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError("This client is closed.")
            if self._thread is threading.current_thread():
                raise RuntimeError(
                    "A blocking client was called from its own event loop; await the async one."
                )
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="cloudcopy", daemon=True
                )
                self._thread.start()
            if self._thread is None or not self._thread.is_alive():
                raise RuntimeError("This client was made before a fork; make one in each process.")
            return self._loop

    def close(self) -> None:
        """Stop the loop and its thread. Closing twice is the same as once."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():  # a finalizer may run anywhere
            thread.join(CLOSING_SECONDS)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """What asyncio.run does, for a loop that others stop."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for each in left:
                each.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()


class _Call(Generic[R]):
    """One call in the loop's thread. Ctrl-C may come while it is handed over, before there is
    anything to cancel; so what is to be cancelled is known before."""

    def __init__(self, work: Coroutine[Any, Any, R]) -> None:
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._given_up = False

    async def run(self) -> R:
        self._task = asyncio.current_task()
        if self._given_up:
            self._work.close()
            raise asyncio.CancelledError
        return await self._work

    def give_up(self) -> None:
        """In the loop's thread. One that has ended is left as it is."""
        self._given_up = True
        if self._task is not None:
            self._task.cancel()


class Blocking(Generic[N]):
    """A noun of the blocking client, over that of the async one."""

    def __init__(self, noun: N, loop: Loop) -> None:
        self._noun = noun
        self._loop = loop


class _Method(Generic[N, P, R]):
    """An attribute that turns a method of `N` into one of `Blocking[N]`."""

    def __init__(
        self, method: Callable[..., Any], call: Callable[[Blocking[N], Callable[..., Any]], Any]
    ) -> None:
        self.__wrapped__ = method
        self.__doc__ = method.__doc__
        self._call = call

    @overload
    def __get__(self, noun: None, owner: type) -> Self: ...

    @overload
    def __get__(self, noun: Blocking[N], owner: type) -> Callable[P, R]: ...

    def __get__(self, noun: Blocking[N] | None, owner: type) -> Self | Callable[P, R]:
        if noun is None:
            return self
        bound = functools.partial(self.__wrapped__, noun._noun)
        called = self._call(noun, bound)
        return cast(Callable[P, R], functools.wraps(self.__wrapped__)(called))


def blocking(
    method: Callable[Concatenate[N, P], Coroutine[Any, Any, R]],
) -> _Method[N, P, R]:
    """The method, waiting for what it returns."""
    return mapped(method, lambda _, found: found)


def mapped(
    method: Callable[Concatenate[N, P], Coroutine[Any, Any, R]],
    turned: Callable[[Loop, R], Made],
) -> _Method[N, P, Made]:
    """The same, with what it returns turned into something else."""

    def call(noun: Blocking[N], bound: Callable[..., Coroutine[Any, Any, R]]) -> Any:
        loop = noun._loop
        return lambda *args, **kwargs: turned(loop, loop.run(bound(*args, **kwargs)))

    return _Method(method, call)


def iterating(
    method: Callable[Concatenate[N, P], AsyncIterable[R]],
) -> _Method[N, P, Generator[R, None, None]]:
    """The method, one by one: nothing is fetched before it is asked for."""

    def call(noun: Blocking[N], bound: Callable[..., AsyncIterable[R]]) -> Any:
        return lambda *args, **kwargs: iterated(noun._loop, bound(*args, **kwargs))

    return _Method(method, call)


def flattening(
    method: Callable[Concatenate[N, P], AsyncIterable[Iterable[R]]],
) -> _Method[N, P, Generator[R, None, None]]:
    """The same of a method that yields several at once: a change of threads for each single one
    would take longer than reading it."""

    def call(noun: Blocking[N], bound: Callable[..., AsyncIterable[Iterable[R]]]) -> Any:
        return lambda *args, **kwargs: _flat(iterated(noun._loop, bound(*args, **kwargs)))

    return _Method(method, call)


def iterated(loop: Loop, found: AsyncIterable[R]) -> Generator[R, None, None]:
    """What `found` yields. Its connection is closed when the generator is."""
    reading = aiter(found)
    end = object()

    async def step() -> R | object:
        return await anext(reading, end)

    try:
        while (each := loop.run(step())) is not end:
            yield cast(R, each)
    finally:
        if isinstance(reading, AsyncGenerator):
            with suppress(RuntimeError):  # the client is closed, and so is this
                loop.run(_closed(reading))


def _flat(several: Generator[Iterable[R], None, None]) -> Generator[R, None, None]:
    try:
        for each in several:
            yield from each
    finally:
        several.close()


async def _closed(reading: AsyncGenerator[Any, None]) -> None:
    await reading.aclose()
