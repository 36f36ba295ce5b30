"""`make bench`: cloudcopy beside what a user would run by hand, on this machine.

Prints a table and writes docs/performance.md, .json and .svg. A part alone is measured with
--work, --rtt, --plane, --first-byte or --floor; its figures replace those in the file, and all
others stay.
"""

import argparse
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from bench import first_byte, floor, machine, page, plane, work
from bench.cloudcopy_peer import CLOUDCOPY
from bench.programs import RCLONE, programs
from bench.record import Record
from bench.rounds import say
from bench.rows import Asked, copies
from demo.seaweed import roomy_directory

DOCS: Final = Path(__file__).parents[1] / "docs"
RECORD: Final = "performance.json"
FAR_MS: Final = "0,30,100"
QUICK: Final = ("small-up", "small-down", "noop-up")
QUICK_SCALE: Final = 0.01


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    asked = _asked(options)
    signal.signal(signal.SIGTERM, _interrupt)
    _many_files()
    out: Path | None = options.out or (None if options.quick else DOCS)
    place = Path(tempfile.mkdtemp(prefix="cloudcopy-bench-", dir=roomy_directory()))
    (out or place).mkdir(parents=True, exist_ok=True)
    path = (out or place) / RECORD
    record = Record.load(path)
    record.machine = machine.facts()
    copied = not (options.plane or options.floor or options.first_byte)
    part = options.work or options.peers or options.missing or options.quick
    whole = copied and not part
    try:
        if options.floor or whole:
            record.floor = floor.measure()
            record.save(path)
        if copied:
            copies(asked, place, record, path)
        if options.first_byte or whole:
            record.first_byte = first_byte.measure(place)
            record.save(path)
        if options.plane or whole:
            for agents in _numbers(options.agents):
                found = plane.measure(place, int(agents), seconds=options.seconds)
                record.plane[f"{int(agents)}"] = found
                record.save(path)
    except KeyboardInterrupt:
        say("Stopped; what was measured is kept.")
        return 130
    finally:
        if out:
            record.save(path)
            page.write(record, out)
        shutil.rmtree(place, ignore_errors=True)
    print(page.figures(record))
    return 1 if any(row.failed.get(CLOUDCOPY) for row in record.rows.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="how often every peer does each row (5)")
    add("--rtt", default=FAR_MS, help=f"round-trip times in ms ({FAR_MS})")
    add("--work", help="rows: small, or small-up; with commas between them (all)")
    add("--peers", help="beside cloudcopy, with commas between them (all that are installed)")
    add("--scale", type=float, default=1.0, help="of sizes and numbers: 0.1 is a tenth (1)")
    add("--missing", action="store_true", help="only rows that the file does not have yet")
    add("--plane", action="store_true", help="only the control plane's scale")
    add("--agents", default="100,1000,10000", help="how many agents, for --plane")
    add("--seconds", type=float, default=4.0, help="how long orders are poured in, for --plane")
    add("--first-byte", action="store_true", help="only how soon a copy begins")
    add("--floor", action="store_true", help="only what the machine itself does")
    add("--quick", action="store_true", help="a smoke test, beside rclone; writes nothing")
    add("--out", type=Path, help="where page, figures and plot go (docs)")
    return parser


def _asked(options: argparse.Namespace) -> Asked:
    quick = options.quick
    known = work.works(QUICK_SCALE if quick else options.scale)
    names = options.work.split(",") if options.work else QUICK if quick else list(known)
    chosen: dict[str, tuple[work.Work, list[bool]]] = {}
    for name in names:
        noun, _, direction = name.partition("-")
        if noun not in known or direction not in ("", "up", "down"):
            raise SystemExit(f"--work: {name!r} is none of {', '.join(known)}, with -up or -down")
        ways = [direction == "up"] if direction else [True, False]
        chosen.setdefault(noun, (known[noun], []))[1].extend(ways)
    installed = [peer.name for peer in programs()]
    peers = options.peers.split(",") if options.peers else [RCLONE] if quick else installed
    if strange := set(peers) - {*installed, CLOUDCOPY}:
        raise SystemExit(f"--peers: {', '.join(strange)}: not among {', '.join(installed)}")
    rtts = [0.0] if quick else _numbers(options.rtt)
    rounds = 1 if quick else options.rounds
    return Asked(chosen, rtts, rounds, peers, options.missing)


def _numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(",")]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _many_files() -> None:
    """10,000 sockets are more than a shell usually allows; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
