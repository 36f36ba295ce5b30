"""The two sides of a copy inside a running rclone, and the proof that they are there."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloudcopy.adapters.rclone.ahead import Ahead
from cloudcopy.adapters.rclone.listing import EVERYTHING, Side, hashed, look, side, unhashed
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import Reason, reason
from cloudcopy.adapters.rclone.remotes import cloud, has_buckets
from cloudcopy.domain.compare import Level, level_of
from cloudcopy.domain.order import Direction, Work
from cloudcopy.domain.paths import RemotePath
from cloudcopy.ports.engine import Copy, Elsewhere

_LISTED: Final = {"noModTime": True, "noMimeType": True}
NOT_THERE: Final = ("not_found", "no_such_bucket")  # codes of a place that does not exist


@dataclass(frozen=True, slots=True)
class Sides:
    """Where the data is, here and there.

    Attributes:
        ahead: Its calls, where listings go through.
    """

    rc: Daemon
    copy: Copy
    ahead: Ahead = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ahead", Ahead(self.rc.call))

    @property
    def upload(self) -> bool:
        return self.copy.direction is Direction.TO_CLOUD

    @property
    def data(self) -> str:
        """The instance's side, a directory."""
        return self.rc.inside.data

    @property
    def cloud_root(self) -> str:
        """The store as a whole."""
        return self._cloud(RemotePath(""))

    @property
    def there(self) -> str:
        """The store's side, a directory."""
        return self._cloud(self.copy.remote)

    def _cloud(self, path: RemotePath) -> str:
        """`path` in the store. Another machine's agent must read a file for its hash, so it is
        asked for none unless rclone itself compares by them."""
        fs = cloud(self.rc.inside.store, path)
        by_hash = self.copy.work is Work.TRANSFER and level_of(self.copy.flags) is Level.CHECKSUM
        return unhashed(fs) if self._relayed and not by_hash else fs

    @property
    def _relayed(self) -> bool:
        return isinstance(self.copy.source, Elsewhere)

    @property
    def source(self) -> str:
        return self.data if self.upload else self.there

    @property
    def target(self) -> str:
        return self.there if self.upload else self.data

    def file_at_source(self, name: str) -> tuple[str, str]:
        """Where the source is when it is the single file `name`: a file system, a path in it."""
        return (self.data, name) if self.upload else (self.cloud_root, self.copy.remote.value)

    async def kinds(self) -> tuple[Side, Side]:
        """What the source and the destination can say about their files.

        Raises:
            RcError: the store could not be opened.
        """
        here, there = await asyncio.gather(
            side(self.rc.call, self.data), side(self.rc.call, hashed(self.cloud_root))
        )
        if self._relayed:
            there = replace(there, slow_hash=True)
        return (here, there) if self.upload else (there, here)

    async def stat(self, fs: str, remote: str, **options: object) -> dict[str, Any] | None:
        """One file or directory, whatever the filters say; None when there is none."""
        found: dict[str, Any] = await self.rc.call(
            "operations/stat",
            fs=fs,
            remote=remote,
            opt={**_LISTED, **options},
            _filter=dict(EVERYTHING),
        )
        item = found["item"]
        return item if isinstance(item, dict) else None

    async def single_file(self) -> str:
        """The source's name if it is one file, else empty.

        Raises:
            RcError: the store could not be asked.
        """
        if self.upload:
            return self.copy.local.name if self.rc.single_file else ""
        remote = self.copy.remote
        if not remote.value or (has_buckets(self.copy.backend) and "/" not in remote.value):
            return ""
        try:
            found = await look(self.rc.call, self.cloud_root, remote.value)
        except RcError as error:
            # A credential for the prefix may not ask for the name itself: it is a prefix.
            if reason(str(error)).code == "access_denied":
                return ""
            raise
        return remote.name if found else ""

    async def bucket_missing(self) -> Reason | None:
        """Some stores make a bucket out of a typo; so it is looked for before an upload."""
        if not (self.upload and has_buckets(self.copy.backend)):
            return None
        if await self.ahead.answer() is not None:
            return None  # what lies in it could be listed
        bucket = RemotePath(self.copy.remote.value.partition("/")[0])
        try:
            if await self.stat(self.cloud_root, bucket.value, dirsOnly=True):
                return None
            await self.rc.call("operations/list", fs=cloud(None, bucket), remote="", opt=_LISTED)
        except RcError as error:
            known = reason(str(error))
            if known.code in NOT_THERE:
                return Reason(
                    "no_such_bucket",
                    f"the bucket {bucket} does not exist",
                    "Create it, or correct the path.",
                )
            if known.code != "access_denied":  # may not list buckets: the copy will tell
                raise
        return None

    async def source_missing(self) -> Reason | None:
        """Whether there is nothing at the source, whatever the filters say.

        rclone says "done" for a prefix that does not exist. A bucket has no empty
        directories, so an empty prefix there is a source that does not exist; on an
        instance the source was opened before rclone was started.
        """
        if self.upload:
            return None
        try:
            found = await self.rc.call(
                "operations/list", fs=self.there, remote="", opt=_LISTED, _filter=dict(EVERYTHING)
            )
        except RcError as error:
            if reason(str(error)).code not in NOT_THERE:
                raise
            found = {"list": []}
        else:
            if not has_buckets(self.copy.backend):
                return None
        if found["list"]:
            return None
        place = self.copy.remote.value or "/"
        return Reason(
            "no_such_source", f"the source {place} does not exist in the store", "Correct the path."
        )
