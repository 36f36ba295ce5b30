"""docs/performance.md: the prose stays, the figures between the marks are written anew."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import table
from bench.programs import PEERS
from bench.record import Record
from bench.rounds import say

PAGE: Final = "performance.md"
PLOT: Final = "performance.svg"
BEGIN: Final = "<!-- figures: written by `make bench`, not by hand -->"
END: Final = "<!-- end of figures -->"


def write(record: Record, directory: Path) -> None:
    """The page in `directory`, which may not be there yet, and its plot."""
    path = directory / PAGE
    text = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    drawn = _draw(directory)
    path.write_text(spliced(text, figures(record, plot=drawn)))
    say(f"{path} is written.")


def spliced(text: str, inside: str) -> str:
    """Raises ValueError: the marks are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}"


def figures(record: Record, *, plot: bool = False) -> str:
    parts = ["## Figures", _when(record)]
    if plot:
        parts.append(f"![Seconds of every peer, row by row]({PLOT})")
    parts.append(table.tables(record))
    if missing := table.failures(record):
        parts += ["Without figures:", missing]
    if record.floor:
        parts += ["### The machine's floor", table.facts(_rounded(record.floor))]
    if record.plane:
        parts += ["### The control plane's scale", _plane(record.plane)]
    if record.first_byte:
        parts += ["### Until a copy begins", table.facts(record.first_byte)]
    parts += ["### The machine and the versions", table.facts(record.machine)]
    return "\n\n".join(part for part in parts if part)


def _when(record: Record) -> str:
    """Rows may be of different days: which cloudcopy each was measured with."""
    by: dict[str, list[str]] = {}
    for row in record.rows.values():
        by.setdefault(f"{row.version}, {row.at[:10]}", []).append(row.key)
    if len(by) <= 1:
        return "".join(f"Copies: cloudcopy {each}." for each in by)
    return "\n".join(f"* cloudcopy {each}: {', '.join(keys)}" for each, keys in by.items())


def _rounded(floor: Mapping[str, float]) -> dict[str, str]:
    return {
        name: f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for name, value in floor.items()
    }


def _plane(plane: Mapping[str, Mapping[str, str]]) -> str:
    agents = sorted(plane, key=int)
    names = list(dict.fromkeys(name for each in agents for name in plane[each]))
    rows: list[Sequence[str]] = [
        [name, *(plane[each].get(name, table.NOTHING) for each in agents)] for name in names
    ]
    return table.markdown(["", *(f"{int(each):,} agents" for each in agents)], rows)


def _draw(directory: Path) -> bool:
    """Whether there is a plot: it takes matplotlib, which only the peers' environment has."""
    python = PEERS / "python"
    if python.exists():
        script = str(Path(__file__).with_name("plot.py"))
        words = [str(python), script, str(directory / "performance.json"), str(directory / PLOT)]
        drawn = subprocess.run(words, capture_output=True, text=True, check=False)
        if drawn.returncode:
            say(f"no plot: {drawn.stderr.strip()[-300:]}")
    return (directory / PLOT).exists()
