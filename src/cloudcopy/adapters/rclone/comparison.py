"""Both sides compared after the copy: what is equal, what differs, what is not there."""

from dataclasses import dataclass
from typing import Any

from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.domain.paths import RemotePath

GROUP = "verify"  # rclone keeps statistics by group; this one's are the comparison's


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The source's files against the destination.

    Attributes:
        matched: Files that are equal.
        appeared: Files that came to the source after it had been listed.
        hash: What they were compared by; empty for size only.
    """

    matched: int = 0
    missing: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    appeared: int = 0
    hash: str = ""

    @property
    def listed(self) -> int:
        return self.matched + len(self.missing) + len(self.differ) + len(self.unread)


async def trees(sides: Sides, *, by_size: bool) -> Comparison:
    """Every file of the source against the destination.

    Raises:
        RcError: one side could not be listed.
    """
    found = await sides.rc.call(
        "operations/check",
        srcFs=sides.source,
        dstFs=sides.target,
        oneWay=True,
        differ=True,
        missingOnDst=True,
        error=True,
        match=False,
        _group=GROUP,
        **({"_config": {"SizeOnly": True}} if by_size else {}),
    )
    missing, differ = _names(found, "missingOnDst"), _names(found, "differ")
    unread = _names(found, "error")
    if not found.get("success") and not (missing or differ or unread):
        raise RcError(str(found.get("status")), 500)
    counts = await sides.rc.call("core/stats", group=GROUP)
    await sides.rc.call("core/stats-delete", group=GROUP)
    checked = int(str(counts.get("checks") or 0))
    hash_type = str(found.get("hashType", ""))
    return Comparison(
        matched=max(0, checked - len(differ) - len(unread)),
        missing=missing,
        differ=differ,
        unread=unread,
        hash="" if by_size or hash_type == "none" else hash_type,
    )


async def file(sides: Sides, name: str) -> Comparison:
    """One file on both sides, by a hash they share, else by size.

    Raises:
        RcError: one side could not be asked.
    """
    remote = sides.copy.remote
    there = RemotePath(name).below(remote.value) if sides.upload else remote
    ours, theirs = await _hashes(sides, sides.data), await _hashes(sides, sides.cloud_root)
    shared = next((each for each in theirs if each in ours), "")
    asked = {"showHash": True, "hashTypes": [shared]} if shared else {}
    near = await sides.stat(sides.data, name, **asked)
    far = await sides.stat(sides.cloud_root, there.value, **asked)
    if near is None or far is None:
        return Comparison(missing=(name,))
    sums = [str((each.get("Hashes") or {}).get(shared, "")) for each in (near, far)]
    if near["Size"] != far["Size"] or (all(sums) and sums[0] != sums[1]):
        return Comparison(differ=(name,))
    return Comparison(matched=1, hash=shared if all(sums) else "")


async def _hashes(sides: Sides, fs: str) -> list[str]:
    found: Any = (await sides.rc.call("operations/fsinfo", fs=fs)).get("Hashes")
    return [str(each) for each in found or ()]


def _names(found: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(each) for each in found.get(key) or ())
