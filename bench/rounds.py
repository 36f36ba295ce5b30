"""One row of the table: every peer in turn, again and again, and what arrived looked at.

Each round runs every peer once, another one first each time, so that a slow minute of the
machine hurts all of them. A fresh copy has a fresh bucket or directory, made before the clock
starts and removed after it stopped: SeaweedFS frees the room of a bucket only as a whole.
"""

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import arrived
from bench.cloudcopy_peer import CLOUDCOPY
from bench.record import Row
from bench.way import Failed, Peer, Way
from bench.work import Kind, Sums, Work, change, sum_of, sums
from demo.seaweed import S3

LIMIT_SECONDS: Final = 1_800.0  # for one copy; longer is none


@dataclass(kw_only=True)
class Rounds:
    """Attributes:
    root: The instance's directory, where all files are.
    near: The store itself.
    far: The store as the peers reach it in this row.
    loader: The peer that puts into the store what is downloaded.
    """

    peers: Mapping[str, Peer]
    loader: Peer
    root: Path
    tree: Path
    near: S3
    far: S3
    row: Row
    work: Work
    _turn: int = field(default=0, init=False)
    _sums: Sums = field(default_factory=dict, init=False)

    async def measure(self, rounds: int) -> Row:
        """The row with the seconds of each round, or with why a peer has none."""
        self._sums = await asyncio.to_thread(sums, self.tree)
        with contextlib.ExitStack() as stack:
            source = None if self.row.upload else await self._source(stack)
            if self.work.kind is Kind.FRESH:
                await self._fresh(rounds, source)
            else:
                await self._again(rounds, source, stack)
        return self.row

    async def _fresh(self, rounds: int, source: str | None) -> None:
        for number in range(rounds):
            for peer in self._turned(number):
                with self._place(peer, source) as way:
                    await self._timed(peer, way, number)

    async def _again(self, rounds: int, source: str | None, stack: contextlib.ExitStack) -> None:
        """Each peer has copied it all once, by itself, before the first round."""
        ways = {}
        for name, peer in self.peers.items():
            way = stack.enter_context(self._place(peer, source))
            # From nearby: it need not take as long. Ours keeps notes by connection.
            near = way if name == CLOUDCOPY else self._way(way.local, way.bucket, self.near)
            say(f"{self.row.key}: {name} prepares")
            if await self._done(peer, near):
                ways[name] = way
        for number in range(rounds):
            if self.work.kind is Kind.CHANGED:
                await self._change(source)
            for peer in self._turned(number):
                if peer.name in ways:
                    await self._timed(peer, ways[peer.name], number)

    async def _change(self, source: str | None) -> None:
        self._turn += 1
        changed = await asyncio.to_thread(change, self.tree, self.work.changed, turn=self._turn)
        for path in changed:
            self._sums[path.relative_to(self.tree).as_posix()] = sum_of(path)
        if source:
            await asyncio.to_thread(self._put, source, changed)

    def _put(self, bucket: str, paths: Sequence[Path]) -> None:
        with self.near.client() as client:
            for path in paths:
                key = f"run/{path.relative_to(self.tree).as_posix()}"
                client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    async def _source(self, stack: contextlib.ExitStack) -> str:
        """A bucket with the whole tree, for downloads."""
        bucket = stack.enter_context(self._bucket())
        way = Way(work=self.work, upload=True, local=self.tree, store=self.near, bucket=bucket)
        await self.loader.copy(way)
        await asyncio.to_thread(arrived.in_store, self._sums, self.near, bucket, way.prefix)
        return bucket

    async def _timed(self, peer: Peer, way: Way, number: int) -> None:
        if peer.name in self.row.failed:
            return
        seconds = await self._done(peer, way)
        if seconds is not None:
            self.row.seconds.setdefault(peer.name, []).append(seconds)
            say(f"{self.row.key}: round {number + 1}: {peer.name}: {seconds:.2f} s")

    async def _done(self, peer: Peer, way: Way) -> float | None:
        """How long it took; None, and noted, if it was not done."""
        try:
            begun = time.perf_counter()
            async with asyncio.timeout(LIMIT_SECONDS):
                await peer.copy(way)
            seconds = time.perf_counter() - begun
            await asyncio.to_thread(self._check, way)
        except (Failed, TimeoutError) as error:
            why = str(error) or f"took longer than {LIMIT_SECONDS:.0f} s"
            self.row.failed[peer.name] = why
            self.row.seconds.pop(peer.name, None)
            say(f"{self.row.key}: {peer.name} FAILED: {why}")
            return None
        return seconds

    def _check(self, way: Way) -> None:
        """A fast copy of the wrong bytes counts for nothing."""
        if way.upload:
            arrived.in_store(self._sums, self.near, way.bucket, way.prefix)
        else:
            arrived.here(self._sums, way.local)

    def _turned(self, by: int) -> list[Peer]:
        listed = list(self.peers.values())
        by %= len(listed)
        return listed[by:] + listed[:by]

    def _way(self, local: Path, bucket: str, store: S3) -> Way:
        return Way(work=self.work, upload=self.row.upload, local=local, store=store, bucket=bucket)

    @contextmanager
    def _place(self, peer: Peer, source: str | None) -> Iterator[Way]:
        """An empty destination for this peer, gone afterwards."""
        if source is None:
            with self._bucket() as bucket:
                yield self._way(self.tree, bucket, self.far)
            return
        local = self.root / "arrived" / "".join(each for each in peer.name if each.isalnum())
        local.mkdir(parents=True)
        try:
            yield self._way(local, source, self.far)
        finally:
            shutil.rmtree(local, ignore_errors=True)  # when stopped, somebody may still write

    @contextmanager
    def _bucket(self) -> Iterator[str]:
        name = self.near.create_bucket(f"bench-{time.time_ns()}")
        try:
            yield name
        finally:
            with self.near.client() as client:
                client.delete_bucket(Bucket=name)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
