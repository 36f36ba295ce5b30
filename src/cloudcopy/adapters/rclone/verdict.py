"""Our own judgement of a copy; rclone's exit code is not asked.

rclone says success for a source that does not exist, for files it left out and for files
that never arrived. So: the source was proven, both sides were compared after the copy, and
everything that was listed is either there, kept on purpose, or named as failed.
"""

from collections import Counter
from typing import Final

from cloudcopy.adapters.rclone.comparison import Comparison
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.progress import Result, Verified
from cloudcopy.ports.engine import Broken, Done, End

MAX_NOTES: Final = 20
_KEEPING: Final = ("--ignore-existing", "--update")


def keeps(flags: Flags) -> bool:
    """Whether files that differ may stay as they are at the destination, as asked."""
    return any(flag in flags.switches for flag in _KEEPING)


def judge(ledger: Ledger, compared: Comparison, *, flags: Flags, trouble: str) -> End:
    """The end of a copy that ran to its end.

    Args:
        trouble: rclone's error text from the last pass over the files; empty for none.
    """
    kept = {name for name in compared.differ if keeps(flags) and not ledger.was_sent(name)}
    wrong = [
        *((name, "did not arrive") for name in compared.missing),
        *((name, _why_differs(ledger, name)) for name in compared.differ if name not in kept),
        *((name, "could not be compared") for name in compared.unread),
    ]
    if not wrong:
        wrong = [(name, "") for name in ledger.failures]
    listed = compared.listed
    result = Result(
        listed=listed,
        copied=ledger.sent,
        unchanged=max(0, compared.matched - ledger.sent),
        kept=len(kept),
        failed=len(wrong),
        skipped=tuple(sorted(ledger.skipped.items())),
        bytes_copied=ledger.bytes_sent,
        verified=_level(compared, listed),
        hash=compared.hash,
        log=ledger.log,
        notes=_notes(ledger, wrong, appeared=compared.appeared),
    )
    if wrong:
        return Broken(_summary(ledger, wrong, max(listed, len(wrong)), trouble), result)
    if trouble:
        known = reason(trouble)
        return Broken(f"{known.text}. {known.cure}", result)
    return Done(result)


def rehearsed(ledger: Ledger, *, already: int, trouble: str) -> End:
    """The end of a dry run. `already`: files of the source that the destination has too."""
    result = Result(
        listed=max(ledger.would_send, already),
        copied=ledger.would_send,
        unchanged=max(0, already - ledger.would_send),
        bytes_copied=ledger.bytes_would_send,
        skipped=tuple(sorted(ledger.skipped.items())),
        dry_run=True,
        log=ledger.log,
    )
    if trouble:
        known = reason(trouble)
        return Broken(f"{known.text}. {known.cure}", result)
    return Done(result)


def unfinished(ledger: Ledger, *, interrupted: bool) -> Result:
    """What a copy had done when it was cut short."""
    return Result(
        copied=ledger.sent,
        bytes_copied=ledger.bytes_sent,
        failed=len(ledger.failures),
        skipped=tuple(sorted(ledger.skipped.items())),
        log=ledger.log,
        interrupted=interrupted,
    )


def _level(compared: Comparison, listed: int) -> Verified:
    if not listed:
        return Verified.NOTHING
    return Verified.HASH if compared.hash else Verified.SIZE


def _why_differs(ledger: Ledger, name: str) -> str:
    if name in ledger.failures:
        return reason(ledger.failures[name]).text
    if ledger.was_sent(name):
        return "differs after the copy: it changed meanwhile, or it was damaged"
    return "differs although it counts as unchanged; --checksum would copy it"


def _notes(ledger: Ledger, wrong: list[tuple[str, str]], *, appeared: int) -> tuple[str, ...]:
    notes = []
    for name, why in wrong[: MAX_NOTES - 3]:
        failure = ledger.failures.get(name)
        notes.append(f"{name}: {reason(failure).text if failure else why}")
    if len(wrong) > len(notes):
        notes.append(f"and {len(wrong) - len(notes)} more")
    if appeared:
        notes.append(f"{appeared} files appeared during the copy; copy again to bring them too")
    if ledger.hashless:
        notes.append(f"{ledger.hashless} files could only be compared by size")
    return tuple(notes)


def _summary(ledger: Ledger, wrong: list[tuple[str, str]], listed: int, trouble: str) -> str:
    """One sentence for the commonest reason, e.g. ``3 of 812 files failed: …``."""
    texts = [ledger.failures[name] for name, _ in wrong if name in ledger.failures]
    if not texts and (trouble or ledger.errors):
        texts = [trouble or ledger.errors[-1]]
    if texts:
        known, _ = Counter(reason(text) for text in texts).most_common(1)[0]
        why = f"{known.text}. {known.cure}"
    else:
        why = f"{wrong[0][0]} {wrong[0][1]}"
    return f"{len(wrong)} of {listed} files failed: {why}"
