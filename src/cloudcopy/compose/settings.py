"""What an operator can choose, checked once before anything is built."""

import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import checked_label
from cloudcopy.domain.rates import Rate
from cloudcopy.domain.tuning import MOST_FILES
from cloudcopy.domain.turns import Limits

DEFAULT_DATA_DIR: Final = Path("~/.cloudcopy")
DEFAULT_LISTEN: Final = "127.0.0.1:8420"
DEFAULT_RATE: Final = 100.0  # requests per second and key; a person's scripts need less than 10
DOCKER_SOCKET: Final = Path("/var/run/docker.sock")
RuntimeName = Literal["auto", "process", "docker", "none"]
MOST_AT_ONCE: Final = 10_000
DEFAULT_COPIES: Final = 4  # at once on one machine: more share the same disk and network


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The programs that copies are run by.

    Attributes:
        rclone: Instead of the packaged one.
        sandbox: ``bubblewrap`` or ``landlock``; None takes the first that works.
        allow_unconfined: Run rclone without a sandbox where there is none.
        engine: ``rclone`` leaves every copy to it; ``auto`` chooses (`domain.movers`).
    """

    rclone: Path | None = None
    sandbox: str | None = None
    allow_unconfined: bool = False
    engine: Literal["auto", "rclone"] = "auto"

    @property
    def nvidia_smi(self) -> str | None:
        return shutil.which("nvidia-smi")

    @property
    def bwrap(self) -> Path | None:
        found = shutil.which("bwrap")
        return Path(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The control plane's.

    Attributes:
        host, port: Where it listens; port 0 takes a free one.
        public_url: What result URLs begin with, for servers behind a proxy.
        limits: How many transfers may have their turn at once.
        rate: How often each API key may be used at most; None is no limit.
    """

    data_dir: Path
    host: str
    port: int
    public_url: str = ""
    limits: Limits = field(default_factory=Limits)
    rate: Rate | None = None
    tools: Tools = field(default_factory=Tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The agent's.

    Attributes:
        instances: Root directory by label.
        join: A join token, needed the first time only.
        copies: How many copies run at once.
        max_concurrency: Files in flight in each of them, at most.
        local_store: Where connections of the kind `local` may lie.
        runtime: What created instances run in; ``auto`` takes Docker where an engine answers,
            ``none`` offers nothing. Machines that join are often shared, so running programs on
            them is asked for.
        allow_same_user: Instances may run as the agent's own user, where it is not root.
        docker_socket: Where the engine listens.
    """

    data_dir: Path
    server: str
    name: str
    instances: Mapping[str, Path]
    join: str | None = None
    copies: int = DEFAULT_COPIES
    max_concurrency: int = MOST_FILES
    local_store: Path | None = None
    runtime: RuntimeName = "none"
    allow_same_user: bool = False
    docker_socket: Path = DOCKER_SOCKET
    tools: Tools = field(default_factory=Tools)


def address(listen: str) -> tuple[str, int]:
    """``HOST:PORT`` taken apart; an IPv6 host stands in brackets.

    Raises:
        Invalid: it has another form.
    """
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise Invalid("--listen", f"{listen!r} must be HOST:PORT, for example {DEFAULT_LISTEN}")
    return host.strip("[]"), int(port)


def instances(words: Sequence[str]) -> dict[str, Path]:
    """``LABEL=DIR`` words as roots by label.

    Raises:
        Invalid: a word has another form, a label stands twice, or no directory is there.
            One that is missing among several is announced as offline: the others must go on.
    """
    roots: dict[str, Path] = {}
    for word in words:
        label, separator, directory = word.partition("=")
        if not separator or not directory:
            raise Invalid("--instance", f"{word!r} must be LABEL=DIR")
        checked_label(label, field="--instance")
        if label in roots:
            raise Invalid("--instance", f"the label {label!r} stands twice")
        roots[label] = Path(directory).expanduser().absolute()
    if roots and not any(root.is_dir() for root in roots.values()):
        missing = next(iter(roots.values()))
        raise Invalid("--instance", f"{missing} is not a directory", next=("Create it first.",))
    return roots


def limits(*, account: int, connection: int, instance: int) -> Limits:
    """Raises Invalid where one is not a whole number above 0."""
    for option, value in (
        ("--max-per-account", account),
        ("--max-per-connection", connection),
        ("--max-per-instance", instance),
    ):
        if not 1 <= value <= MOST_AT_ONCE:
            raise Invalid(option, f"must be 1 to {MOST_AT_ONCE}")
    return Limits(account=account, connection=connection, instance=instance)


def rate(per_second: float, burst: int | None) -> Rate | None:
    """What `--rate` and `--burst` say; a rate of 0 is no limit.

    Raises:
        Invalid: one is out of bounds.
    """
    try:
        return Rate.parse(per_second or None, burst)
    except Invalid as error:
        option = "--burst" if error.field == "burst" else "--rate"
        raise Invalid(option, str(error).partition(": ")[2]) from None


def private_directory(path: Path) -> Path:
    """Make `path` if needed, for its owner only, and return it absolute."""
    path = path.expanduser().absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def machine_name() -> str:
    return socket.gethostname()[:120] or "machine"
