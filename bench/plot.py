"""Every row as a line of dots, one for each peer's median; run in the peers' own environment."""

import json
import statistics
import sys
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "cloudcopy"  # the same figures give the same file

from matplotlib import pyplot as plt  # noqa: E402 - after its backend was chosen
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

OURS: Final = "cloudcopy"
_WIDTH: Final = 9.0
_PER_ROW: Final = 0.3


def draw(record: dict[str, Any], path: Path) -> None:
    rows = [row for row in record["rows"].values() if row["seconds"]]
    rtts = sorted({row["rtt"] for row in rows})
    peers = list(dict.fromkeys(name for row in rows for name in row["seconds"]))
    colours = {name: f"C{number % 10}" for number, name in enumerate(peers)}
    panels = [[row for row in rows if row["rtt"] == rtt] for rtt in rtts]
    figure, axes = plt.subplots(
        len(panels),
        1,
        squeeze=False,
        figsize=(_WIDTH, 1.3 + sum(_PER_ROW * len(each) + 0.7 for each in panels)),
        height_ratios=[len(each) for each in panels],
        layout="constrained",
    )
    for axis, rtt, some in zip(axes[:, 0], rtts, panels, strict=True):
        _panel(axis, rtt, some, colours)
    axes[-1, 0].set_xlabel("seconds, median; the line is from the fastest to the slowest round")
    handles = {
        name: plt.Line2D([], [], color=colours[name], marker=_marker(name), linestyle="")
        for name in peers
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    figure.savefig(path, metadata={"Date": None})


def _panel(axis: Any, rtt: float, rows: list[dict[str, Any]], colours: dict[str, str]) -> None:
    for line, row in enumerate(rows):
        for name, some in row["seconds"].items():
            ours = name == OURS
            axis.plot([min(some), max(some)], [line, line], color=colours[name], alpha=0.4)
            axis.plot(
                statistics.median(some),
                line,
                color=colours[name],
                marker=_marker(name),
                markersize=9 if ours else 5,
                zorder=3 if ours else 2,
            )
    labels = [f"{row['label']}, {'up' if row['upload'] else 'down'}" for row in rows]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(f"{rtt:g} ms round trip" if rtt else "no latency", loc="left", fontsize=10)


def _marker(name: str) -> str:
    return "D" if name == OURS else "o"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
