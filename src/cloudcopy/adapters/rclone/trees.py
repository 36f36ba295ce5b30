"""A whole tree listed, directory by directory; what may pass by itself is tried again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloudcopy.adapters.rclone.listing import NAMELESS, Call, Listed, Unlisted
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.sides import NOT_THERE
from cloudcopy.adapters.rclone.walk import Chosen, walk
from cloudcopy.domain.patience import asked_seconds, pause

Put = Callable[[Sequence[Listed]], Awaitable[None]]
Unread = Callable[[Unlisted], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Waiting between tries: `seconds` pass in `sleep`, `random` is in [0, 1)."""

    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]

    async def wait(self, done: int, *, throttled: bool, text: str) -> bool:
        """Wait for the next round, after `done` of them; False when it is time to give up."""
        seconds = pause(done, throttled=throttled, asked=asked_seconds(text), jitter=self.random())
        if seconds is None:
            return False
        await self.sleep(seconds)
        return True

    async def again(self, done: int, error: RcError) -> bool:
        """`wait`, for what `error` says."""
        text = str(error)
        throttled = reason(text).code == "throttled"
        return await self.wait(done, throttled=throttled, text=text)


async def tree(
    call: Call,
    fs: str,
    put: Put,
    patience: Patience,
    *,
    hashes: Sequence[str] = (),
    everything: bool = False,
    directories: Chosen | None = None,
    times: bool = True,
    slow_time: bool,
    below: str = "",
    must_exist: bool = False,
    unread: Unread | None = None,
    small: bool = True,
    likely: Sequence[str] = (),
) -> None:
    """Everything below a directory goes to `put`.

    A directory that vanished has no files. One that may not be listed goes to `unread`.

    Args:
        small, likely: See `walk`; without `below`.
        slow_time: The time of arrival stands for the file's own.

    Raises:
        RcError: a directory could not be listed, and there is no `unread`, or it is the top.
    """
    todo, done = [below], 0
    while todo:
        failed: list[Unlisted] = []
        for directory in todo:
            async for batch in walk(
                call,
                fs,
                hashes=hashes,
                times=times and not slow_time,
                server_times=times and slow_time,
                everything=everything,
                directories=directories,
                below=directory,
                unlisted=failed.append,
                small=small,
                likely=() if directory else likely,
            ):
                await put(batch)
        done += 1
        passing = []
        for error in failed:
            known = reason(str(error))
            if NAMELESS in error.directory and unread:
                await unread(error)
                continue
            if known.code in NOT_THERE and (error.directory or not must_exist):
                continue
            if known.fatal:
                await _give_up(error, unread if not known.hopeless else None)
            else:
                passing.append(error)
        todo = [each.directory for each in passing]
        if passing and not await patience.again(done, passing[-1]):
            for error in passing:
                await _give_up(error, unread)
            return


async def _give_up(error: Unlisted, unread: Unread | None) -> None:
    if unread is None or not error.directory:
        raise error
    await unread(error)
