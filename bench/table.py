"""Figures as Markdown, and the arithmetic between them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cloudcopy_peer import CLOUDCOPY
from bench.programs import RCLONE
from bench.record import Record, Row

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two peers' medians, and the lowest and highest of any round, in which both ran
    within the same few minutes."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}–{self.high:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    each = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(ours) / statistics.median(theirs), min(each), max(each))


def best(row: Row) -> str | None:
    """The peer with the lowest median, cloudcopy left out; None where there is none."""
    others = {name: statistics.median(some) for name, some in row.seconds.items()}
    others.pop(CLOUDCOPY, None)
    return min(others, key=lambda name: others[name]) if others else None


def tables(record: Record) -> str:
    """A table for each round-trip time, the nearest first."""
    parts = []
    for rtt in sorted({row.rtt for row in record.rows.values()}):
        rows = [row for row in record.rows.values() if row.rtt == rtt]
        title = f"{rtt:g} ms" if rtt else "no latency"
        parts.append(f"### Round-trip time: {title}\n\n{_of(rows)}")
    return "\n\n".join(parts)


def _of(rows: Sequence[Row]) -> str:
    peers = peers_of(rows)
    head = [
        "seconds, median",
        "rounds",
        "load",
        *peers,
        "cloudcopy / best peer",
        f"cloudcopy / {RCLONE}",
    ]
    return markdown(head, [_cells(row, peers) for row in rows])


def _cells(row: Row, peers: Sequence[str]) -> list[str]:
    fastest = best(row)
    counts = {len(some) for some in row.seconds.values()}
    cells = [f"{row.label}, {'up' if row.upload else 'down'}", "–".join(map(str, sorted(counts)))]
    cells.append(NOTHING if row.load is None else f"{row.load:.1f}")
    for peer in peers:
        some = row.seconds.get(peer)
        text = NOTHING if not some else f"{statistics.median(some):.2f}"
        cells.append(f"**{text}**" if peer == fastest else text)
    for other in (fastest, RCLONE):
        ours, theirs = row.seconds.get(CLOUDCOPY), row.seconds.get(other or "")
        cells.append(str(ratio(ours, theirs)) if ours and theirs else NOTHING)
    return cells


def peers_of(rows: Iterable[Row]) -> list[str]:
    """All that have a figure; cloudcopy first, the others as they were run."""
    known = dict.fromkeys(name for row in rows for name in (*row.seconds, *row.failed))
    return sorted(known, key=lambda name: name != CLOUDCOPY)


def failures(record: Record) -> str:
    """One line for each figure that is missing."""
    return "\n".join(
        f"* {row.key}, {peer}: {' '.join(why.split())}"
        for row in record.rows.values()
        for peer, why in row.failed.items()
    )


def facts(told: Mapping[str, object]) -> str:
    return markdown(["", ""], [[name, str(value)] for name, value in told.items()])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', '/') for each in line)} |" for line in lines)
