"""What runs created instances on a machine.

Every method may be repeated: after a crash the agent asks again for what it wants, and finds
out by `status` how far it had come. An instance is known by the name that the control plane
drew for it. Every adapter passes `tests/contracts/test_runtime.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What an instance is made from.

    Attributes:
        boot: The number of the start or reboot that is wanted.
        onstart: A script for sh, run at each boot; empty runs nothing.
        env: May hold secrets: never in argv, a log or a file of ours.
        keys: Lines of ``.ssh/authorized_keys`` below its root.
    """

    name: str
    id: int
    boot: int
    image: str = ""
    onstart: str = field(default="", repr=False)
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    disk_gb: float = 0.0
    keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How an instance is. `boot`: which one it is about, 0 before the first."""

    actual_status: ActualStatus
    boot: int
    text: str = ""


class InstanceRuntime(Protocol):
    @property
    def name(self) -> str:
        """``process`` or ``docker``."""
        ...

    def on_change(self, call: Callable[[str], None]) -> None:
        """Call it with an instance's name when one changes by itself."""
        ...

    async def recover(self) -> None:
        """After a start of the agent: take up what an earlier one left, or clear it away."""
        ...

    def root(self, name: str) -> Path | None:
        """The directory that copies use, whether it runs or not; None: no such instance."""
        ...

    async def create(self, spec: Spec) -> None:
        """Make it, stopped, and put its keys into it; one that is there gets the keys alone.

        Raises:
            Unavailable: the host cannot; says why.
        """
        ...

    async def start(self, spec: Spec) -> None:
        """Run boot `spec.boot` of a stopped one.

        Raises:
            Unavailable: the host cannot; says why.
        """
        ...

    async def stop(self, name: str) -> None:
        """End everything that runs in it and keep what it holds. Raises Unavailable."""
        ...

    async def reboot(self, spec: Spec) -> None:
        """Stop it, and run boot `spec.boot`. Raises Unavailable."""
        ...

    async def destroy(self, name: str) -> None:
        """Stop it and remove all it holds. Raises Unavailable."""
        ...

    async def status(self, name: str) -> Standing | None:
        """None: there is no such instance. EXITED stays until it is destroyed.

        Raises:
            Unavailable: it cannot be told now.
        """
        ...

    async def logs(self, name: str, *, tail: int, filter: str, daemon: bool) -> str:
        """The last `tail` lines that hold `filter`: of what ran in it, or of what this runtime
        did with it. Raises Unavailable."""
        ...

    async def execute(self, name: str, command: Command) -> str:
        """What the command prints, its errors included. Nothing outside of the instance is
        read or changed, links included. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """The agent ends: stop what cannot outlive it."""
        ...
