"""Showing a running transfer: a live bar, plain lines for a log, or JSON lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudcopy.cli.addresses import written
from cloudcopy.cli.output import Terminal, clean, duration, size
from cloudcopy.sdk import ProgressView, TransferView

LINE_SECONDS: Final = 10.0  # in a log, one line as often as this
SHOWN_FILES: Final = 3
_BAR_WIDTH: Final = 60

Show = Callable[[TransferView], None]


@contextmanager
def shown(terminal: Terminal, *, now: Callable[[], float]) -> Iterator[Show]:
    """What to call with each new view of a transfer. `now`: seconds of a steady clock."""
    if terminal.json:
        yield lambda transfer: terminal.data(transfer.model_dump(mode="json"))
    elif terminal.err.is_terminal and not terminal.err.is_dumb_terminal:
        with Live(console=terminal.err, transient=True, auto_refresh=False) as live:
            yield lambda transfer: live.update(picture(transfer), refresh=True)
    else:
        yield _lines(terminal, now)


def _lines(terminal: Terminal, now: Callable[[], float]) -> Show:
    """A line at once when the phase has changed, otherwise one every `LINE_SECONDS`."""
    phase, due = "", 0.0

    def show(transfer: TransferView) -> None:
        nonlocal phase, due
        if transfer.phase != phase or now() >= due:
            phase, due = transfer.phase, now() + LINE_SECONDS
            told = (headline(transfer), counts(transfer))
            terminal.say(f"{transfer.id} {'  '.join(part for part in told if part)}")

    return show


def headline(transfer: TransferView) -> str:
    """How far it is, in one line, e.g. ``transferring 52%  1.9 GiB of 2.3 GiB, 0.4 GiB left``."""
    progress = transfer.progress
    silent = ", the machine is silent" if transfer.machine_silent else ""
    match transfer.state:
        case "running":
            return f"{transfer.phase}{silent}{_numbers(progress) if progress else ''}"
        case "queued" if transfer.ahead:
            return f"queued, {transfer.ahead} ahead"
        case "queued" if transfer.ahead == 0:
            return "queued, next in line"
        case "paused":
            return f"paused; go on with: cloudcopy transfer resume {transfer.id}"
        case _:
            return f"{transfer.phase}{silent}"


def _numbers(progress: ProgressView) -> str:
    if progress.phase == "verifying":
        return f"  {progress.verified} files, {size(progress.bytes_verified)}"
    if not progress.to_copy:  # nothing to copy was found yet
        return ""
    parts = [
        f" {progress.percent}%",
        f"{size(progress.bytes_copied)} of {size(progress.bytes_to_copy)}",
        f"{size(max(0, progress.bytes_to_copy - progress.bytes_copied))} left",
        f"{size(progress.rate)}/s",
    ]
    if progress.eta_seconds is not None:
        parts.append(f"ETA {duration(progress.eta_seconds)}")
    return "  ".join(parts)


def counts(transfer: TransferView) -> str:
    """The files in one line, e.g. ``found 48, to copy 40, copied 12``; empty before it runs."""
    progress = transfer.progress
    if progress is None or transfer.state != "running":
        return ""
    parts = [f"found {progress.found}"]
    if transfer.work == "transfer":
        parts += [f"to copy {progress.to_copy}", f"copied {progress.copied}"]
    for word, count in (
        ("skipped", progress.skipped),
        ("failed", progress.failed),
        ("deleted", progress.deleted),
        ("retried", progress.retried),
    ):
        if count:
            parts.append(f"{word} {count}")
    if transfer.bwlimit:
        parts.append(f"limit {transfer.bwlimit}")
    if progress.limited_by:
        parts.append(f"limited by {progress.limited_by}")
    return ", ".join(parts)


def picture(transfer: TransferView) -> RenderableType:
    """What the bar shows: where to, how far, and the files in flight."""
    source, destination = written(transfer)
    progress = transfer.progress
    line = Table.grid()  # a bar by itself does not end its line
    percent = progress.percent if progress else 0
    line.add_row(
        ProgressBar(
            total=100,
            completed=100 if transfer.state == "succeeded" else percent,
            width=_BAR_WIDTH,
        )
    )
    told = [text for text in (headline(transfer), counts(transfer)) if text]
    files = [
        f"  {file.name}  {size(file.bytes)} of {size(file.size) if file.size >= 0 else 'unknown'}"
        for file in (progress.current[:SHOWN_FILES] if progress else ())
    ]
    return Group(
        _cut(f"{source} → {destination}"),
        line,
        *(_cut(text) for text in told),
        *(_cut(text, style="dim") for text in files),
    )


def _cut(text: str, *, style: str = "") -> Text:
    """One line, never two: a long name ends in an ellipsis."""
    return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis")
