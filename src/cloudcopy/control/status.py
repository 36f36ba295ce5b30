"""How far a copy is and what became of it, in the words of the compatible API.

State first: its clients show the first 40 characters, and wait for the text `FINISHED`,
which therefore stands in no text but that of a success.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cloudcopy.domain.instance import ENDS
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.progress import ErrorGroup, Phase, Progress, proportion, size
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import InstanceSeen, TransferSeen

SILENT_AFTER: Final = timedelta(seconds=60)  # three of the agent's ~20 s rounds
FINISHED: Final = "Cloud Copy Operation Finished"  # what both public CLIs tell people to wait for
MAX_RESULT: Final = 20_000  # characters of a result's text
MAX_SAMPLE: Final = 200  # characters of a file's name in it


def status_msg(seen: TransferSeen | None) -> str:
    """The state of an instance's latest copy, and its numbers while it runs."""
    if seen is None:
        return ""
    if seen.transfer.state.final:
        return _headline(seen.transfer)
    words = f"Cloud Copy: {seen.transfer.shown_as(seen.progress)}"
    if seen.transfer.state is not State.RUNNING or seen.progress is None:
        return words
    return ", ".join((f"{words} {_done(seen.progress)}".rstrip(), *_besides(seen.progress)))


def instance_msg(seen: InstanceSeen) -> str:
    """Why an instance is as it is, where it has ended or copied nothing yet; else its copy."""
    created = seen.instance.created
    if created is not None and (seen.latest is None or seen.instance.actual_status in ENDS):
        return created.text
    return status_msg(seen.latest)


def shown(seen: InstanceSeen, *, now: Clock) -> ActualStatus:
    """What an instance is doing, as far as is known: OFFLINE while its machine is silent, or
    where its agent no longer runs created instances."""
    away = silent(seen.machine_seen_at, now=now)
    if away or (seen.instance.created is not None and seen.hardware is None):
        return ActualStatus.OFFLINE
    return seen.instance.actual_status


def silent(seen_at: datetime | None, *, now: Clock) -> bool:
    """Whether the machine has not been heard lately. Silent is not dead."""
    return seen_at is None or now() - seen_at > SILENT_AFTER


def _done(numbers: Progress) -> str:
    match numbers.phase:
        case Phase.PREPARING:
            return f"{numbers.found} files found" if numbers.found else ""
        case Phase.TRANSFERRING:
            files = f"{numbers.copied}/{numbers.to_copy} files" if numbers.to_copy else ""
            if not numbers.bytes_to_copy:
                return f"0% {files}"
            done = proportion(numbers.bytes_copied, numbers.bytes_to_copy)
            return f"{numbers.percent}% {done} {files}"
        case Phase.VERIFYING:
            return f"{numbers.verified} files {size(numbers.bytes_verified)}"


def _besides(numbers: Progress) -> Iterator[str]:
    if numbers.phase is Phase.TRANSFERRING and numbers.rate >= 1:
        yield f"{size(int(numbers.rate))}/s"
        if numbers.eta_seconds is not None:
            yield f"{_time(numbers.eta_seconds)} left"
    for count, word in (
        (numbers.failed, "failed"),
        (numbers.skipped, "skipped"),
        (numbers.retried, "retried"),
        (numbers.deleted, "deleted"),
    ):
        if count:
            yield f"{count} {word}"


def _time(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 7200 else f"{seconds // 3600}h"


def outcome(ended: Transfer) -> str:
    """The whole text behind a result URL: one line of `status_msg`, then what there is to say."""
    told = "\n".join(_lines(ended))[:MAX_RESULT] + "\n"
    return told if ended.state is State.SUCCEEDED else _without_promise(told)


def _headline(ended: Transfer) -> str:
    reason = _without_promise(" ".join(ended.reason.split()))
    match ended.state:
        case State.SUCCEEDED:
            return FINISHED
        case State.CANCELLED:
            return "Cloud Copy Operation Canceled"
        case State.PARTIAL:  # its clients know two ends, and this one is not the good one
            return f"Cloud Copy Operation Failed: partial: {reason}"
        case _:
            return f"Cloud Copy Operation Failed: {reason}"


def _lines(ended: Transfer) -> Iterator[str]:
    yield _headline(ended)
    result = ended.result
    if result is None:
        return
    yield result.summary
    for group in result.errors:
        yield from _group(group)
    if result.recheck.why_not:
        yield f"The store itself could not be looked at: {result.recheck.why_not}"
    yield from result.notes


def _group(group: ErrorGroup) -> Iterator[str]:
    yield f"{group.count} failed: {group.text.rstrip('.')}. {group.cure}".rstrip()
    yield from (f"  {name[:MAX_SAMPLE]}" for name in group.samples)
    if group.count > len(group.samples) > 0:
        yield f"  and {group.count - len(group.samples)} more"


def _without_promise(text: str) -> str:
    return text.replace(FINISHED, "it finished")
