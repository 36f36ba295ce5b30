"""Starting `launch.py`, and hearing whether it got as far as its program."""

import asyncio
import contextlib
import marshal
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.cell import Program
from cloudcopy.adapters.sandbox.plan import Plan
from cloudcopy.domain.errors import Unavailable

_PIPE_BYTES: Final = 64 * 1024  # what a pipe holds unless asked for more
_MOST_BYTES: Final = 1024 * 1024  # what an ordinary user may ask for


async def launched(plan: Plan, *, passed: Iterable[int], stderr: int) -> asyncio.subprocess.Process:
    """Start `plan`; its program is running, in the child's own pid, when this returns.

    Args:
        passed: Descriptors that the plan mentions besides those it keeps.

    Raises:
        Unavailable: a step of the plan failed.
    """
    heard = [] if plan["listening"] is None else [plan["listening"]]
    with ExitStack() as stack:
        reader, told = os.pipe()
        stack.callback(os.close, reader)
        with ExitStack() as ours:
            ours.callback(os.close, told)
            told = beside(ours, told)
            text = ours.enter_context(holding(marshal.dumps({**plan, "told": told})))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                launch.__file__,
                str(text),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                env={},
                pass_fds=[text, told, *heard, *plan["keep"], *passed],
                start_new_session=True,
            )
        async with ending(process):
            problem = await everything(reader)
            if problem:
                raise Unavailable(f"rclone's sandbox did not start: {problem.decode()}")
    return process


def beside(stack: ExitStack, fd: int) -> int:
    """The same under a number that is not the one for the program's socket."""
    if fd != launch.LISTENING:
        return fd
    other = os.dup(fd)
    stack.callback(os.close, other)
    return other


@asynccontextmanager
async def ending(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Kill the process, and wait for its end, if the block does not get to its own."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise


@contextmanager
def holding(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds `content` and then ends. Nothing touches a disk.

    Raises:
        Unavailable: the pipe cannot hold that much.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        try:
            if _PIPE_BYTES < len(content) <= _MOST_BYTES:
                fcntl(writer, F_SETPIPE_SZ, _MOST_BYTES)
            written = os.write(writer, content)
        except OSError:
            written = 0
        finally:
            os.close(writer)
        if written != len(content):
            raise Unavailable("the connection's options are too long to hand over to rclone")
        os.set_blocking(reader, True)
        yield reader
    finally:
        os.close(reader)


async def everything(fd: int, *, until: bytes = b"") -> bytes:
    """What comes out of a pipe, up to and with `until`, or till its last writer is gone."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(os.dup(fd), "rb", buffering=0)
    )
    try:
        return await (stream.readuntil(until) if until else stream.read())
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        transport.close()


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor that names the file or directory at `path`.

    Raises:
        Unavailable: it is not there.
    """
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Unavailable(f"{path.name} cannot be opened: {reason}") from None
    try:
        yield fd
    finally:
        os.close(fd)


def run_directory(program: Program) -> AbstractContextManager[int]:
    """A descriptor of it, after it was given to the user that rclone becomes."""
    return given(program.run_dir, program.user)


@contextmanager
def given(directory: Path, user: tuple[int, int] | None) -> Iterator[int]:
    """A descriptor of the directory, after it was given to `user`, if there is one."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if user:
            os.fchown(fd, *user)
        yield fd
    finally:
        os.close(fd)
