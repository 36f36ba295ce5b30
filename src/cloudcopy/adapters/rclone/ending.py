"""How a copy ended: the result out of what its ledger adds up to, and the sentence for it."""

from collections import Counter
from dataclasses import replace
from typing import Final

from cloudcopy.adapters.rclone.account import Account
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.reasons import Reason
from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.progress import Digests, ErrorGroup, Result, Verified
from cloudcopy.ports.engine import Broken, Done, End, Partial

MAX_NAMED: Final = 5  # names in one note


def refused(why: Reason) -> Broken:
    """The end of a copy that could not begin."""
    group = ErrorGroup(code=why.code, text=why.text, cure=why.cure, count=1)
    return Broken(str(why), Result(errors=(group,)))


def result(sums: Account, ledger: Ledger, *, kind: str, there: int = 0) -> Result:
    """What a transfer did.

    Args:
        kind: Of the hashes in its rows.
        there: Files the destination had before, where that was listed whole.
    """
    files, sizes = sums.files, sums.sizes
    verified = Verified.HASH if sums.hashed else Verified.SIZE if sums.sized else Verified.NOTHING
    skipped = sums.skipped + _duplicates(ledger)
    return Result(
        found=sums.found,
        bytes_found=sums.bytes_found,
        copied=files[Outcome.COPIED],
        bytes_copied=sizes[Outcome.COPIED],
        unchanged=files[Outcome.UNCHANGED],
        kept=files[Outcome.KEPT],
        failed=sums.wrong,
        deleted=files[Outcome.DELETED],
        retried=sums.retried,
        at_destination=there,
        changed=sums.codes["source_changed"],
        skipped=tuple(sorted(skipped.items())),
        bytes_verified=sums.bytes_verified,
        verified=verified,
        hash=kind if verified is Verified.HASH else "",
        by_hash=sums.hashed,
        by_size_only=sums.sized,
        errors=sums.errors,
        digests=Digests(files=sums.arrived.root(), leaves=len(sums.arrived)),
        notes=_notes(sums, ledger),
        log=ledger.log,
    )


def rehearsal(sums: Account, ledger: Ledger) -> Result:
    """What a dry run found."""
    return replace(
        result(sums, ledger, kind=""),
        copied=sums.files[Outcome.NEW],
        bytes_copied=sums.sizes[Outcome.NEW],
        digests=Digests(),
        dry_run=True,
    )


def end(done: Result, trouble: Reason | None) -> End:
    """The verdict on a transfer that ran to its end.

    Args:
        trouble: What went wrong besides, or for all that was not tried.
    """
    if not done.failed and trouble is None:
        return Done(done)
    why = _sentence(done, trouble)
    if done.copied + done.unchanged and not done.dry_run:
        return Partial(why, done)
    return Broken(why, done)


def _sentence(done: Result, trouble: Reason | None) -> str:
    """For the commonest reason, e.g. ``3 of 812 files failed: …``."""
    commonest = done.errors[0] if done.errors else None
    if trouble and (trouble.hopeless or commonest is None):
        why = str(trouble)
    elif commonest:
        why = f"{commonest.text}. {commonest.cure}"
    else:
        why = "something was not copied"
    if not done.failed:
        return why
    return f"{done.failed} of {max(done.found, done.failed)} files failed: {why}"


def _duplicates(ledger: Ledger) -> Counter[str]:
    count = ledger.duplicates.total()
    return Counter({"duplicate name": count} if count else {})


def _notes(sums: Account, ledger: Ledger) -> tuple[str, ...]:
    notes = []
    if sums.appeared:
        notes.append(
            f"{sums.appeared} files appeared during the copy; copy again to bring them too"
        )
    if sums.late:
        notes.append(f"{sums.late} files changed during the copy; their latest content arrived")
    if sums.sent_by_size:
        notes.append(f"{sums.sent_by_size} files could only be compared by size")
    if ledger.duplicates:
        names = ", ".join(sorted(ledger.duplicates)[:MAX_NAMED])
        notes.append(f"the source has these names more than once, and one of each came: {names}")
    return tuple(notes)
