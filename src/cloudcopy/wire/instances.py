"""What the control plane wants of the instances it had created on a machine.

An agent is told on each connection, on each change and in its rounds, and only where it
announced its hardware: one that does not know these messages never gets one.
"""

from typing import Literal

import msgspec


class WantedInstance(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance should be. Nothing here ends an instance but `want`: one that is not
    named is left as it is.

    Attributes:
        name: Begins with ``~``.
        boot: The number of its latest start or reboot.
        keys: Lines of its ``authorized_keys``.
    """

    name: str
    id: int
    want: Literal["running", "stopped", "destroyed"]
    boot: int
    image: str = ""
    onstart: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    disk_gb: float = 0.0
    keys: list[str] = []

    def __repr__(self) -> str:
        return f"WantedInstance({self.name}, {self.want}, boot {self.boot})"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question about one instance; asked until it is answered."""

    id: str
    name: str
    kind: Literal["logs", "execute"]
    command: str = ""
    tail: int = 1000
    filter: str = ""
    daemon: bool = False
