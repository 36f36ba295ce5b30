"""All the rows that were asked for, over one store and one cloudcopy."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import machine
from bench.cloudcopy_peer import CLOUDCOPY, INSTANCE, Cloudcopy
from bench.latency import far
from bench.programs import RCLONE_TUNED, programs
from bench.record import Record, Row
from bench.rounds import Rounds
from bench.way import Peer
from bench.work import Work, plant
from cloudcopy.sdk import Client
from demo.seaweed import S3, seaweed
from demo.stack import Stack, stack


@dataclass(frozen=True, slots=True)
class Asked:
    """Attributes:
    works: By name, with the directions: True is up.
    peers: Beside cloudcopy.
    missing: Only rows that the record does not have.
    """

    works: Mapping[str, tuple[Work, Sequence[bool]]]
    rtts: Sequence[float]
    rounds: int
    peers: Sequence[str]
    missing: bool

    def rows(self, noun: str) -> Iterator[Row]:
        """Empty ones, to be filled."""
        kind, ways = self.works[noun]
        for upload in ways:
            for rtt in self.rtts:
                yield Row(
                    work=noun,
                    upload=upload,
                    rtt=rtt,
                    label=str(kind),
                    version=machine.version(),
                    at="",
                )


def copies(asked: Asked, place: Path, record: Record, path: Path) -> None:
    """Measure each row into the record, which is saved after each.

    Args:
        place: For all files, a few GiB.
    """
    root = place / "instance"
    root.mkdir()
    with ExitStack() as opened:
        near = opened.enter_context(seaweed())
        up = opened.enter_context(stack(place / "cloudcopy", {INSTANCE: root}))
        stores = {rtt: _at(near, opened.enter_context(far(near.port, rtt))) for rtt in asked.rtts}
        measuring = _Measuring(asked=asked, root=root, near=near, stores=stores)
        asyncio.run(measuring.all(up, record, path))


def _at(store: S3, port: int) -> S3:
    return replace(store, port=port, endpoint=f"http://127.0.0.1:{port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    asked: Asked
    root: Path
    near: S3
    stores: Mapping[float, S3]

    async def all(self, up: Stack, record: Record, path: Path) -> None:
        others = {peer.name: peer for peer in programs()}
        async with Client(up.url, up.api_key) as client:
            peers: dict[str, Peer] = {CLOUDCOPY: Cloudcopy(client, self.root)}
            peers |= {name: others[name] for name in self.asked.peers if name != CLOUDCOPY}
            for noun, (kind, _) in self.asked.works.items():
                wanted = [
                    row
                    for row in self.asked.rows(noun)
                    if not self.asked.missing or row.key not in record.rows
                ]
                tree = self.root / noun
                if wanted:
                    await asyncio.to_thread(plant, tree, kind)
                for row in wanted:
                    row.at, row.load = machine.now(), machine.load()
                    rounds = Rounds(
                        peers=peers,
                        loader=others[RCLONE_TUNED],
                        root=self.root,
                        tree=tree,
                        near=self.near,
                        far=self.stores[row.rtt],
                        row=row,
                        work=kind,
                    )
                    record.rows[row.key] = await rounds.measure(self.asked.rounds)
                    record.save(path)
                await asyncio.to_thread(shutil.rmtree, tree, ignore_errors=True)
