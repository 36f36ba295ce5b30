"""A row of the table: who has a figure in it, and who has none."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.record import Row
from bench.rounds import Rounds
from bench.way import Failed, Peer, Way
from bench.work import plant, works
from demo.seaweed import S3


@dataclass
class Copier:
    """A peer that copies by hand, then does what else it is told; it remembers its ways."""

    name: str
    also: Callable[[Way], None] = lambda way: None
    ways: list[Way] = field(default_factory=list)

    async def copy(self, way: Way) -> None:
        self.ways.append(way)
        with way.store.client() as client:
            if way.upload:
                for path in way.local.rglob("*.bin"):
                    key = f"{way.prefix}/{path.relative_to(way.local).as_posix()}"
                    client.put_object(Bucket=way.bucket, Key=key, Body=path.read_bytes())
            else:
                for each in client.list_objects_v2(Bucket=way.bucket)["Contents"]:
                    path = way.local / each["Key"].removeprefix(f"{way.prefix}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    client.download_file(way.bucket, each["Key"], str(path))
        self.also(way)


def spoil(way: Way) -> None:
    if way.upload:
        with way.store.client() as client:
            client.put_object(Bucket=way.bucket, Key=f"{way.prefix}/more", Body=b"")
    else:
        next(way.local.rglob("*.bin")).write_bytes(b"other bytes")


def give_up(way: Way) -> None:
    raise Failed("there is no more room")


async def measured(
    tmp_path: Path, store: S3, noun: str, *peers: Peer, upload: bool, times: int = 2
) -> Row:
    work = works(0.0005)[noun]  # 5 files
    tree = tmp_path / "tree"
    plant(tree, work)
    row = Row(work=noun, upload=upload, rtt=0.0, label=str(work), version="", at="")
    rounds = Rounds(
        peers={peer.name: peer for peer in peers},
        loader=Copier("loader"),
        root=tmp_path,
        tree=tree,
        near=store,
        far=store,
        row=row,
        work=work,
    )
    try:
        return await rounds.measure(times)
    finally:
        shutil.rmtree(tree)


@pytest.mark.parametrize("upload", [True, False])
async def test_only_who_copies_every_byte_has_a_figure(tmp_path: Path, store: S3, upload: bool):
    right, wrong, none = Copier("right"), Copier("wrong", spoil), Copier("none", give_up)
    row = await measured(tmp_path, store, "small", right, wrong, none, upload=upload)
    assert {name: len(seconds) for name, seconds in row.seconds.items()} == {"right": 2}
    assert row.failed["none"] == "there is no more room"
    assert "wrong" in row.failed
    assert len(wrong.ways) == len(none.ways) == 1  # who failed once is not asked again
    assert len({(way.bucket, way.local) for way in right.ways}) == (2 if upload else 1)


async def test_each_round_begins_with_another_peer(tmp_path: Path, store: S3):
    turns: list[str] = []
    peers = [Copier(name, lambda _, name=name: turns.append(name)) for name in "abc"]  # type: ignore[misc]
    await measured(tmp_path, store, "one", *peers, upload=True, times=3)
    assert "".join(turns) == "abcbcacab"


async def test_what_is_changed_between_rounds_has_to_arrive(tmp_path: Path, store: S3):
    kept: dict[Path, bytes] = {}

    def undo(way: Way) -> None:
        """As if it had copied nothing after the first time."""
        for path in way.local.rglob("*.bin"):
            path.write_bytes(kept.setdefault(path, path.read_bytes()))

    every, once = Copier("every"), Copier("once", undo)
    row = await measured(tmp_path, store, "changed", every, once, upload=False)
    assert len(row.seconds["every"]) == 2
    assert len(every.ways) == 3  # it prepared itself first
    assert list(row.failed) == ["once"]
