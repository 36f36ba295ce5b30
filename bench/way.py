"""One copy as every peer is asked for it, and what a peer is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.work import Work
from demo.seaweed import S3


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Between the directory `local` and the prefix `prefix` of a bucket.

    Attributes:
        store: As it is to be reached, perhaps from far away.
    """

    work: Work
    upload: bool
    local: Path
    store: S3
    bucket: str
    prefix: str = "run"


class Failed(Exception):
    """A peer did not do what it was asked for; says what it told of it."""


class Peer(Protocol):
    @property
    def name(self) -> str: ...

    async def copy(self, way: Way) -> None:
        """Do it, with what a user of this peer would type.

        Raises:
            Failed: it ended with an error.
        """
        ...
