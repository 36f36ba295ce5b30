"""The steps of one copy inside a running rclone: prove, copy, compare."""

from typing import Any, Final

from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import Reason, reason
from cloudcopy.adapters.rclone.remotes import cloud, has_buckets
from cloudcopy.adapters.rclone.verdict import Comparison, judge, rehearsed
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.progress import CurrentFile, Phase, Progress, Result, Verified
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.engine import Broken, Copy, Done, End

PASSES: Final = 3  # over the files that failed; rclone's own default for --retries
MAX_CURRENT: Final = 8  # files in flight that are shown
# Without the caller's filters; the names are those of rclone's `fs/filter.Options`.
_EVERYTHING: Final[dict[str, Any]] = {
    "FilterRule": [],
    "ExcludeRule": [],
    "IncludeRule": [],
    "MinSize": -1,
    "MaxSize": -1,
    "MinAge": "off",
    "MaxAge": "off",
}
_FILE_ONLY: Final = {"filesOnly": True, "noModTime": True, "noMimeType": True}


class Run:
    """One copy. `whole` does it; `progress` may be asked at any time meanwhile."""

    def __init__(self, started: Daemon, copy: Copy, ledger: Ledger) -> None:
        self._rc = started
        self._copy = copy
        self._ledger = ledger
        self._phase = Phase.PREPARING
        self._group = ""
        self._upload = copy.direction is Direction.TO_CLOUD
        self._store = started.inside.store
        self._data = started.inside.data

    async def whole(self) -> End:
        """Raises RcError where the copy could not even begin, Gone when rclone ended."""
        name = await self._single_file()
        if name and self._copy.flags.narrows:
            return _failed(
                Reason(
                    "filters_on_file",
                    "the source is a single file, and filters choose among files of a directory",
                    "Leave the filters out, or name the directory.",
                )
            )
        if self._upload:
            missing = await self._bucket_missing()
            if missing:
                return _failed(missing)
        self._phase = Phase.TRANSFERRING
        trouble = await self._transfer(name)
        if self._copy.flags.dry_run:
            stats = await self._rc.call("core/stats", group=self._group)
            already = int(str(stats.get("checks") or 0))
            return await self._present(rehearsed(self._ledger, already=already, trouble=trouble))
        if trouble and reason(trouble).code == "not_found" and not self._upload:
            return _failed(self._absent())
        self._phase = Phase.VERIFYING
        compared = await (self._compare_file(name) if name else self._compare())
        end = judge(self._ledger, compared, flags=self._copy.flags, trouble=trouble)
        return await self._present(end)

    # Prove

    async def _single_file(self) -> str:
        """The source's name if it is one file, else empty.

        Raises:
            RcError: the store could not be asked.
        """
        if self._upload:
            return self._copy.local.name if self._rc.single_file else ""
        remote = self._copy.remote
        if not remote.value or (has_buckets(self._copy.backend) and "/" not in remote.value):
            return ""
        try:
            found = await self._stat(remote, _FILE_ONLY)
        except RcError as error:
            # A credential for the prefix may not ask for the name itself: it is a prefix.
            if reason(str(error)).code == "access_denied":
                return ""
            raise
        return remote.name if found else ""

    async def _stat(self, remote: RemotePath, options: dict[str, bool]) -> dict[str, Any] | None:
        root = cloud(self._store, RemotePath(""))
        item = (await self._rc.call("operations/stat", fs=root, remote=remote.value, opt=options))[
            "item"
        ]
        return item if isinstance(item, dict) else None

    async def _bucket_missing(self) -> Reason | None:
        """Some stores make a bucket out of a typo; so it is looked for first."""
        if not has_buckets(self._copy.backend):
            return None
        bucket = RemotePath(self._copy.remote.value.partition("/")[0])
        try:
            if await self._stat(bucket, {"dirsOnly": True, "noModTime": True}):
                return None
            await self._rc.call("operations/list", fs=cloud(None, bucket), remote="", opt={})
        except RcError as error:
            known = reason(str(error))
            if known.code in ("not_found", "no_such_bucket"):
                return Reason(
                    "no_such_bucket",
                    f"the bucket {bucket} does not exist",
                    "Create it, or correct the path.",
                )
            if known.code != "access_denied":  # may not list buckets: the copy will tell
                raise
        return None

    def _absent(self) -> Reason:
        place = self._copy.remote.value or "/"
        return Reason(
            "no_such_source", f"the source {place} does not exist in the store", "Correct the path."
        )

    async def _present(self, end: End) -> End:
        """A prefix in which nothing was found is a source that does not exist.

        Buckets have no empty directories. Other stores have said "not found" before this,
        and on an instance the source was opened before rclone was started.
        """
        if self._upload or not isinstance(end, Done) or end.result.listed:
            return end
        if not has_buckets(self._copy.backend):
            return end
        place = cloud(self._store, self._copy.remote)
        found = await self._rc.call(
            "operations/list", fs=place, remote="", opt={"noModTime": True}, _filter=_EVERYTHING
        )
        return end if found["list"] else _failed(self._absent())

    # Copy

    async def _transfer(self, name: str) -> str:
        """Copy, and again what failed; rclone's last error text, empty when all went well."""
        trouble = ""
        self._ledger.copying = True
        for attempt in range(1, PASSES + 1):
            self._group = f"pass-{attempt}"
            trouble = ""
            self._ledger.errors.clear()
            try:
                await self._copy_once(name)
                trouble = await self._quiet_trouble()
            except RcError as error:
                trouble = str(error)
            if not trouble or reason(trouble).fatal:
                break
        self._ledger.copying = False
        return trouble

    async def _quiet_trouble(self) -> str:
        """rclone answers "done" although it could not read a directory; its statistics know."""
        stats = await self._rc.call("core/stats", group=self._group)
        return str(stats.get("lastError") or "error") if stats.get("errors") else ""

    async def _copy_once(self, name: str) -> None:
        remote = self._copy.remote
        if not name:
            here, there = self._data, cloud(self._store, remote)
            source, target = (here, there) if self._upload else (there, here)
            await self._rc.call("sync/copy", srcFs=source, dstFs=target, _group=self._group)
        elif self._upload:
            await self._rc.call(
                "operations/copyfile",
                srcFs=self._data,
                srcRemote=name,
                dstFs=cloud(self._store, remote),
                dstRemote=name,
                _group=self._group,
            )
        else:
            await self._rc.call(
                "operations/copyfile",
                srcFs=cloud(self._store, RemotePath("")),
                srcRemote=remote.value,
                dstFs=self._data,
                dstRemote=name,
                _group=self._group,
            )

    # Compare

    async def _compare(self) -> Comparison:
        """Every file of the source against the destination.

        By hash where both sides have one in common and something was copied. When nothing
        was, the copy itself has just compared everything the way it was asked to.
        """
        by_size = not self._ledger.sent or "--size-only" in self._copy.flags.switches
        here, there = self._data, cloud(self._store, self._copy.remote)
        source, target = (here, there) if self._upload else (there, here)
        self._group = "verify"
        found = await self._rc.call(
            "operations/check",
            srcFs=source,
            dstFs=target,
            oneWay=True,
            differ=True,
            missingOnDst=True,
            error=True,
            match=False,
            _group=self._group,
            **({"_config": {"SizeOnly": True}} if by_size else {}),
        )
        counts = await self._rc.call("core/stats", group=self._group)
        differ, unread = _names(found, "differ"), _names(found, "error")
        missing = _names(found, "missingOnDst")
        if not found.get("success") and not (differ or unread or missing):
            raise RcError(str(found.get("status")), 500)
        checked = int(str(counts.get("checks", 0)))
        hash_type = str(found.get("hashType", ""))
        return Comparison(
            matched=max(0, checked - len(differ) - len(unread)),
            missing=missing,
            differ=differ,
            unread=unread,
            hash="" if by_size or hash_type == "none" else hash_type,
        )

    async def _compare_file(self, name: str) -> Comparison:
        """One file on both sides, by a hash they share, else by size."""
        remote = self._copy.remote
        there = remote if not self._upload else RemotePath(name).below(remote.value)
        cloud_root = cloud(self._store, RemotePath(""))
        ours = (await self._rc.call("operations/fsinfo", fs=self._data)).get("Hashes") or []
        theirs = (await self._rc.call("operations/fsinfo", fs=cloud_root)).get("Hashes") or []
        shared = next((each for each in _strings(theirs) if each in _strings(ours)), "")
        options = {"showHash": bool(shared), "noModTime": True, "noMimeType": True}
        asked: dict[str, Any] = {**options, **({"hashTypes": [shared]} if shared else {})}
        far = await self._rc.call("operations/stat", fs=cloud_root, remote=there.value, opt=asked)
        near = await self._rc.call("operations/stat", fs=self._data, remote=name, opt=asked)
        a, b = near["item"], far["item"]
        if not isinstance(a, dict) or not isinstance(b, dict):
            return Comparison(missing=(name,))
        sums = [str((each.get("Hashes") or {}).get(shared, "")) for each in (a, b)]
        if a["Size"] != b["Size"] or (all(sums) and sums[0] != sums[1]):
            return Comparison(differ=(name,))
        return Comparison(matched=1, hash=shared if all(sums) else "")

    # Tell

    async def progress(self) -> Progress:
        """The latest numbers; empty ones when rclone does not answer."""
        if not self._group:
            return Progress(phase=self._phase)
        try:
            stats = await self._rc.call("core/stats", group=self._group)
        except (RcError, Gone):
            return Progress(phase=self._phase)
        return _progress(self._phase, stats, self._ledger)


def _progress(phase: Phase, stats: dict[str, Any], ledger: Ledger) -> Progress:
    flying = stats.get("transferring") or []
    return Progress(
        phase=phase,
        files_done=ledger.sent,
        files_total=max(ledger.sent, int(stats.get("totalTransfers") or 0)),
        bytes_done=int(stats.get("bytes") or 0),
        bytes_total=int(stats.get("totalBytes") or 0),
        rate=float(stats.get("speed") or 0.0),
        eta_seconds=int(stats["eta"]) if stats.get("eta") is not None else None,
        errors=int(stats.get("errors") or 0),
        current=tuple(
            CurrentFile(
                str(each.get("name", "")), int(each.get("bytes") or 0), int(each.get("size") or -1)
            )
            for each in flying[:MAX_CURRENT]
        ),
    )


def _failed(why: Reason) -> Broken:
    return Broken(f"{why.text}. {why.cure}", Result(verified=Verified.NOTHING))


def _names(found: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(each) for each in found.get(key) or ())


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
