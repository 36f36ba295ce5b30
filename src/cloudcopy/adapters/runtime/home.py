"""Where a created instance lies on its host, and what is remembered of it.

``NAME/root`` is the instance: what copies see, and the home of what runs in it. Beside it, for
the agent alone: ``log`` and ``log.1``, ``notes``, ``lock`` and ``state.json``.
"""

import contextlib
import json
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import structlog

from cloudcopy.adapters.runtime.removal import discard
from cloudcopy.adapters.sandbox.beneath import open_target
from cloudcopy.domain.errors import Invalid, Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.paths import InstancePath
from cloudcopy.ports.runtime import Standing

log = structlog.get_logger()

NOTES_BYTES: Final = 256 * 1024
_GONE: Final = "gone-"


@dataclass(frozen=True, slots=True)
class State:
    """What must outlive the agent.

    Attributes:
        boot: The latest one that was begun.
        exited: Why it ended for good; None as long as it has not.
        down: We stopped it, so that it ended is no end for good.
    """

    boot: int = 0
    exited: str | None = None
    down: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """One instance's directory."""

    path: Path

    @classmethod
    def of(cls, directory: Path, name: str) -> Self:
        """Where the instance of that name lies.

        Raises:
            Unavailable: it is no name that the control plane draws.
        """
        ulid = name.removeprefix("~")
        if not (name.startswith("~") and ulid.isascii() and ulid.isalnum() and len(ulid) <= 64):
            raise Unavailable("The instance's name is not one of ours.")
        return cls(directory / ulid)

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def notes(self) -> Path:
        return self.path / "notes"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def there(self) -> bool:
        return self.root.is_dir()

    def make(self, owner: tuple[int, int] | None) -> None:
        """Idempotent. Raises Unavailable."""
        with _translated("created"):
            self.path.mkdir(mode=0o700, exist_ok=True)
            fresh = self.path / "fresh"
            if not self.there():
                fresh.mkdir(mode=0o750, exist_ok=True)
                if owner:
                    os.chown(fresh, *owner)
                fresh.rename(self.root)

    def folder(self, name: str) -> None:
        """Make a directory in it. Raises Unavailable."""
        try:
            open_target(self.root, InstancePath(name)).close()
        except Invalid as error:
            raise Unavailable(f"The instance cannot be made ready: {error}") from error

    def place(self, keys: Sequence[str]) -> None:
        """Make ``.ssh/authorized_keys`` hold exactly these; no file where there are none.

        Links that what runs in there may have set up lead nowhere.

        Raises:
            Unavailable: it cannot be written, or a link is in the way.
        """
        content = "".join(f"{key}\n" for key in keys).encode()
        if not keys and not (self.root / ".ssh").is_dir():
            return
        try:
            with open_target(self.root, InstancePath(".ssh")) as shown:
                if _content(shown.fd) == content:
                    return
                with _translated("given its SSH keys"):
                    Path(f"/proc/self/fd/{shown.fd}").chmod(0o700)
                    _write(shown.fd, content, (shown.uid, shown.gid))
        except Invalid as error:
            raise Unavailable(f"The SSH keys cannot be placed: {error}") from error

    def state(self) -> State:
        try:
            return State(**json.loads((self.path / "state.json").read_text()))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, TypeError) as error:
            raise Unavailable("What is remembered of the instance cannot be read.") from error

    def remember(self, state: State) -> None:
        """On disk when this returns. Raises Unavailable."""
        part = self.path / "state.part"
        with _translated("remembered"), part.open("w") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
            part.rename(self.path / "state.json")

    def note(self, at: datetime, words: str) -> None:
        """A line about what was done with it. A full disk loses it."""
        with contextlib.suppress(OSError):
            if self.notes.exists() and self.notes.stat().st_size > NOTES_BYTES:
                self.notes.rename(f"{self.notes}.1")
            with self.notes.open("a") as file:
                file.write(f"{at:%Y-%m-%dT%H:%M:%SZ} {' '.join(words.split())}\n")

    def tail(self, path: Path, *, lines: int, filter: str) -> str:
        """The last lines that hold `filter`, of the file and the one before it."""
        kept: deque[str] = deque(maxlen=lines)
        for each in (path.with_name(f"{path.name}.1"), path):
            with contextlib.suppress(FileNotFoundError), each.open(errors="replace") as file:
                kept.extend(line.rstrip("\n") for line in file if filter in line)
        return "".join(f"{line}\n" for line in kept)

    def remove(self) -> None:
        """Everything, in a way that a crash only delays. Raises Unavailable."""
        with _translated("removed"):
            discard(self._gone)
            with contextlib.suppress(FileNotFoundError):
                self.path.rename(self._gone)
            discard(self._gone)

    def absent(self) -> Standing | None:
        """How an instance that is not `there` is: None once nothing of it is left."""
        if not self._gone.exists():
            return None
        return Standing(ActualStatus.STOPPED, 0, "what was in it is being removed")

    @property
    def _gone(self) -> Path:
        return self.path.with_name(_GONE + self.path.name)


def sweep(directory: Path) -> None:
    """Remove what an agent that died was removing. What cannot be removed stays, and is logged."""
    for path in directory.glob(f"{_GONE}*"):
        try:
            discard(path)
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            log.error("a destroyed instance is not removed", path=str(path), reason=reason)


def _content(fd: int) -> bytes | None:
    """None where it is not a file. What runs in there may swap in a pipe at any time, which
    nobody must wait for."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open("authorized_keys", flags, dir_fd=fd)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        return opened.read(1024 * 1024)


def _write(fd: int, content: bytes, owner: tuple[int, int]) -> None:
    part = ".authorized_keys.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=fd)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600, dir_fd=fd), "wb") as file:
        if os.geteuid() == 0:
            os.fchown(file.fileno(), *owner)
        file.write(content)
    os.rename(part, "authorized_keys", src_dir_fd=fd, dst_dir_fd=fd)


@contextlib.contextmanager
def _translated(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Unavailable(f"The instance cannot be {done} on its machine: {reason}.") from error
