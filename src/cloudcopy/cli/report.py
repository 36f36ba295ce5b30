"""What a transfer, a plan or a check did, for people."""

from collections.abc import Iterator

from cloudcopy.cli.addresses import written
from cloudcopy.cli.output import size
from cloudcopy.sdk import ErrorGroupView, RecheckView, ResultView, TransferView

Fact = tuple[str, object]
_ABOUT = "only the files that had failed in the attempt before; the numbers are of those"


def did(transfer: TransferView) -> str:
    """One sentence: what was done, or would be done, or was found. Empty before its end."""
    result = transfer.result
    if result is None:
        return ""
    match transfer.work:
        case "plan":
            return f"plan: {would(result)}"
        case "check":
            return f"{result.unchanged} equal, {result.failed} not; compared {result.proof}"
        case _:
            only = "of the files that had failed: " if transfer.scope == "failed" else ""
            return f"{only}{result.summary}"


def would(result: ResultView) -> str:
    """What a plan lists, in numbers."""
    parts = [
        f"{result.copied} to copy ({size(result.bytes_copied)})",
        f"{result.deleted} to delete",
        f"{result.unchanged} unchanged",
    ]
    if result.kept:
        parts.append(f"{result.kept} kept at the destination")
    parts += [f"{count} skipped ({reason})" for reason, count in result.skipped.items()]
    return ", ".join(parts)


def facts(transfer: TransferView) -> Iterator[Fact]:
    """The whole report but the failures. A fact that is empty is not worth a line."""
    source, destination = written(transfer)
    yield from (
        ("id", transfer.id),
        ("state", transfer.phase),
        ("reason", transfer.reason),
        ("from", source),
        ("to", destination),
        ("attempt", transfer.attempt),
        ("about", _ABOUT if transfer.scope == "failed" else ""),
    )
    result = transfer.result
    if result is None:
        return
    match transfer.work:
        case "check":
            yield from _checked(result)
        case "plan":
            yield "found", _counted(result.found, result.bytes_found)
            yield "would", would(result)
        case _:
            yield from _copied(result)
    yield "limited", limited(result)
    yield from (("note", note) for note in result.notes)


def limited(result: ResultView) -> str:
    """What kept it from being faster; empty where that is not known."""
    return f"mostly by {result.limited_by}" if result.limited_by else ""


def _copied(result: ResultView) -> Iterator[Fact]:
    yield from (
        ("found", _counted(result.found, result.bytes_found)),
        ("copied", _counted(result.copied, result.bytes_copied)),
        ("unchanged", result.unchanged),
        ("kept", result.kept or None),
        *(("skipped", f"{count} {reason}") for reason, count in result.skipped.items()),
        ("failed", result.failed),
        ("deleted", result.deleted or None),
        ("retried", result.retried or None),
        ("changed", f"{result.changed} while they were copied" if result.changed else None),
        ("verified", f"{result.proof}{_of(result)}"),
        ("seen", "" if result.dry_run else _seen(result.recheck)),
        ("root", f"{result.digests.files} over {result.digests.leaves} files"
         if result.digests.files else None),
    )  # fmt: skip


def _checked(result: ResultView) -> Iterator[Fact]:
    yield from (
        ("found", _counted(result.found, result.bytes_found)),
        ("equal", result.unchanged),
        ("not", result.failed),
        ("compared", result.proof),
    )


def _counted(files: int, bytes: int) -> str:
    return f"{files} files, {size(bytes)}"


def _of(result: ResultView) -> str:
    return f", {size(result.bytes_verified)}" if result.bytes_verified else ""


def _seen(recheck: RecheckView) -> str:
    """What the control plane saw in the store itself."""
    if recheck.why_not:
        return f"not by the control plane: {recheck.why_not}"
    return f"{recheck.files} files by the control plane, {recheck.hashed} of them with their hash"


def failures(groups: list[ErrorGroupView]) -> Iterator[str]:
    """Line by line: each kind with its first few names and what to do now."""
    for group in groups:
        yield f"✖ {group.count} × {group.code}: {group.text}"
        for name in group.samples:
            yield f"    {name}"
        if more := group.count - len(group.samples):
            yield f"    and {more} more"
        if group.cure:
            yield f"  Now: {group.cure}"
