"""`make bench`: cloudcopy beside plain rclone, on this machine, against a local S3 server.

Each round runs every peer once, so that a slow minute hurts all of them; the median of the
rounds is shown. Prints a Markdown table.
"""

import argparse
import asyncio
import random
import shutil
import statistics
import sys
import sysconfig
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.copy import BUCKET, CONNECTION, INSTANCE, Cloudcopy, Copy, Rclone, Way, seconds
from cloudcopy.sdk import Client
from demo import tree
from demo.seaweed import S3, roomy_directory, seaweed
from demo.stack import Stack, stack

KIB: Final = 1 << 10
MIB: Final = 1 << 20
SHAPES: Final = {"small": (2_000, 10 * KIB), "large": (1, 256 * MIB)}
OURS: Final = "cloudcopy"
Times = dict[tuple[str, bool], dict[str, list[float]]]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(words)
    place = Path(tempfile.mkdtemp(prefix="cloudcopy-bench-", dir=roomy_directory()))
    try:
        root = place / "instance"
        for shape, (count, size) in SHAPES.items():
            _fill(root / shape, count, size)
        with seaweed() as s3, stack(place / "cloudcopy", {INSTANCE: root}) as up:
            s3.create_bucket(BUCKET)
            times = asyncio.run(_measure(up, s3, root, asked.rounds))
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(_table(times))
    return 0


def _fill(directory: Path, count: int, size: int) -> None:
    draw = random.Random(size)
    for number in range(count):
        path = directory / f"{number % 20:02}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for _ in range(0, size, min(size, MIB)):
                file.write(draw.randbytes(min(size, MIB)))


async def _measure(up: Stack, s3: S3, root: Path, rounds: int) -> Times:
    times: Times = defaultdict(lambda: defaultdict(list))
    rclone = Path(sysconfig.get_path("scripts")) / "rclone"
    async with Client(up.url, up.api_key) as client:
        await client.connections.create(
            name=CONNECTION, cloud_type="s3", parameters=s3.parameters, test=True
        )
        peers: dict[str, Copy] = {
            OURS: Cloudcopy(client).copy,
            "rclone copy": Rclone(rclone, root, s3, check=False).copy,
            "rclone copy + check": Rclone(rclone, root, s3, check=True).copy,
        }
        for shape in SHAPES:  # also warms up the store
            await peers["rclone copy"](Way(upload=True, local=shape, prefix=f"{shape}/source"))
        for number in range(rounds):
            for shape in SHAPES:
                for peer, copy in _turned(peers, number):
                    print(f"round {number + 1}, {shape}: {peer}", file=sys.stderr)
                    mark = f"{shape}/{number}-{peer.replace(' ', '-')}"
                    way = Way(upload=True, local=shape, prefix=mark)
                    times[shape, True][peer].append(await seconds(copy, way))
                    way = Way(upload=False, local=f"down/{mark}", prefix=f"{shape}/source")
                    times[shape, False][peer].append(await seconds(copy, way))
                    await asyncio.to_thread(_check, root / shape, root / way.local)
    return times


def _turned(peers: dict[str, Copy], by: int) -> list[tuple[str, Copy]]:
    """The peers, another one first in each round."""
    listed = list(peers.items())
    return listed[by % len(listed) :] + listed[: by % len(listed)]


def _check(source: Path, arrived: Path) -> None:
    """A fast copy of the wrong bytes counts for nothing."""
    if tree.differences(tree.hashes(source), tree.hashes(arrived)):
        raise RuntimeError(f"{arrived} is not what was copied")
    shutil.rmtree(arrived)


def _table(times: Times) -> str:
    peers = list(next(iter(times.values())))
    peers.sort(key=lambda peer: (peer != OURS, peer))
    others = peers[1:]
    head = ["", *(f"{peer}, s" for peer in peers), *(f"{OURS} / {peer}" for peer in others)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for (shape, upload), found in times.items():
        count, size = SHAPES[shape]
        middle = {peer: statistics.median(found[peer]) for peer in peers}
        unit = f"{size // KIB} KiB" if size < MIB else f"{size // MIB} MiB"
        cells = [
            f"{count:,} × {unit} {'up' if upload else 'down'}",
            *(f"{middle[peer]:.2f}" for peer in peers),
            *(f"{middle[OURS] / middle[peer]:.2f}" for peer in others),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
