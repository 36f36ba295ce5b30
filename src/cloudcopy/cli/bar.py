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
from cloudcopy.sdk import TransferView

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
    """A line at once when the state has changed, otherwise one every `LINE_SECONDS`."""
    state, due = "", 0.0

    def show(transfer: TransferView) -> None:
        nonlocal state, due
        if transfer.state != state or now() >= due:
            state, due = transfer.state, now() + LINE_SECONDS
            terminal.say(f"{transfer.id} {headline(transfer)}")

    return show


def headline(transfer: TransferView) -> str:
    """The numbers in one line, e.g. ``transferring 52%  1.9 GiB of 2.3 GiB  1.1 GiB/s``."""
    progress = transfer.progress
    silent = ", the machine is silent" if transfer.machine_silent else ""
    if progress is None or transfer.state != "running":
        return f"{transfer.state}{silent}"
    if not progress.files_total:  # nothing was listed yet
        return f"{progress.phase}{silent}"
    parts = [
        f"{progress.phase}{silent} {progress.percent}%",
        f"{size(progress.bytes_done)} of {size(progress.bytes_total)}",
        f"{size(progress.rate)}/s",
    ]
    if progress.eta_seconds is not None:
        parts.append(f"ETA {duration(progress.eta_seconds)}")
    parts.append(f"{progress.files_done} of {progress.files_total} files")
    if progress.errors:
        parts.append(f"{progress.errors} errors")
    return "  ".join(parts)


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
    numbers = Text(clean(headline(transfer)), no_wrap=True, overflow="ellipsis")
    files = [
        Text(
            f"  {clean(file.name)}  {size(file.bytes)} of "
            f"{size(file.size) if file.size >= 0 else 'unknown'}",
            style="dim",
            no_wrap=True,
            overflow="ellipsis",
        )
        for file in (progress.current[:SHOWN_FILES] if progress else ())
    ]
    where = Text(clean(f"{source} → {destination}"), no_wrap=True, overflow="ellipsis")
    return Group(where, line, numbers, *files)
