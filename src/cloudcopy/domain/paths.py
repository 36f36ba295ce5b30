"""Paths as callers write them, parsed once at the door.

Neither kind can climb, name a host file, or carry a piece of rclone's own syntax.
Confinement on the host does not rest on these rules (a symbolic link passes every one
of them): the agent opens what they name beneath the instance's root, see
`adapters.sandbox.beneath`. These rules exist so that a bad path is refused in words
before anything has started.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final, Self

from cloudcopy.domain.errors import Invalid

MAX_SEGMENT_BYTES: Final = 255  # NAME_MAX of every Linux file system in use
MAX_PATH_BYTES: Final = 1024  # the longest key of S3, GCS and Azure; below PATH_MAX (4096)


@dataclass(frozen=True, slots=True)
class InstancePath:
    """A path below an instance's root, e.g. ``workspace/data``; empty means the root.

    A leading slash is optional and a trailing one changes nothing.
    """

    value: str

    @classmethod
    def parse(cls, text: str, *, field: str) -> Self:
        """Check and normalise `text`.

        Raises:
            Invalid: climbs with ``..``, has a control character, or is too long.
        """
        return cls(_normal(text, field))

    @property
    def name(self) -> str:
        """The last segment; empty for the root."""
        return self.value.rpartition("/")[2]

    def __str__(self) -> str:
        return f"/{self.value}"


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A path below a connection's root, e.g. ``my-bucket/data``; no leading slash.

    It never carries the remote's name. rclone reads ``:backend,opt=x:path`` as a
    whole connection (rclone docs, "Connection strings"), so a leading colon here
    would let a caller choose the backend and its options.
    """

    value: str

    @classmethod
    def parse(cls, text: str, *, field: str) -> Self:
        """Check and normalise `text`; the empty path means the connection's root.

        Raises:
            Invalid: starts with ``:``, climbs with ``..``, has a control character, or is too long.
        """
        if text.lstrip("/").startswith(":"):
            raise Invalid(field, "must be a path, not an rclone connection string", code="bad_path")
        return cls(_normal(text, field))

    @property
    def name(self) -> str:
        """The last segment; empty for the connection's root."""
        return self.value.rpartition("/")[2]

    def below(self, root: str) -> "RemotePath":
        """This path inside `root`, itself a normal path; an empty root changes nothing."""
        return RemotePath("/".join(part for part in (root, self.value) if part))

    def overlaps(self, other: "RemotePath") -> bool:
        """Whether one of the two is the other or holds it."""
        mine, theirs = self.value.split("/"), other.value.split("/")
        shared = min(len(mine), len(theirs))
        return "" in (self.value, other.value) or mine[:shared] == theirs[:shared]

    def __str__(self) -> str:
        return self.value


def _normal(text: str, field: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise Invalid(field, "has a control character or an unpaired surrogate", code="bad_path")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Invalid(
            field, f"{text!r} climbs with '..'; a copy stays below its root", code="bad_path"
        )
    if any(len(part.encode()) > MAX_SEGMENT_BYTES for part in parts):
        raise Invalid(field, f"has a name longer than {MAX_SEGMENT_BYTES} bytes", code="bad_path")
    path = "/".join(parts)
    if len(path.encode()) > MAX_PATH_BYTES:
        raise Invalid(field, f"is longer than {MAX_PATH_BYTES} bytes", code="bad_path")
    return path
