"""Random kill -9 of server and agent, and a store that fails now and then, over many copies.

What must hold whatever happens: no copy lost, none run twice at once, none that says
"succeeded" and is not, and nothing left over.
"""

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from demo.seaweed import S3
from tests.faults import faults
from tests.faults.faults import Break
from tests.faults.proxy import fault_proxy
from tests.journeys.conftest import Pair
from tests.journeys.stack import FINAL, eventually, rclones, watched

SEED = 20261125
TROUBLE = 0.02  # of the requests to the store
KINDS = [faults.SLOW_DOWN, faults.INTERNAL, Break.RESET, Break.TRUNCATE, Break.LOST]


def make_tree(root: Path, number: int, draw: random.Random) -> dict[str, bytes]:
    """A few small files, and now and then one that goes in parts."""
    files = {f"d{n % 2}/f{n}.bin": draw.randbytes(draw.randrange(1, 40_000)) for n in range(4)}
    if number % 10 == 0:
        files["parts.bin"] = draw.randbytes(11 << 20)
    if number % 50 == 5:
        files["pieces.bin"] = draw.randbytes(20 << 20)
    for name, content in files.items():
        path = root / "src" / str(number) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def on_disk(top: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }


def in_store(client: Any, bucket: str, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for each in page.get("Contents") or []:
            body = client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            found[each["Key"].removeprefix(prefix)] = body
    return found


@pytest.mark.parametrize(
    ("copies", "kills"), [(12, 4), pytest.param(500, 200, marks=pytest.mark.soak)]
)
def test_kills_and_faults_lose_nothing_and_leave_nothing(
    pair: Pair, s3: S3, copies: int, kills: int
):
    draw = random.Random(SEED)
    trees = {number: make_tree(pair.root, number, draw) for number in range(copies)}
    plan = faults.share(SEED, TROUBLE, KINDS)
    with fault_proxy(s3, plan) as proxy, watched(pair.work) as most:
        in_parts = {"upload_cutoff": "5Mi", "chunk_size": "5Mi"}
        movers = [  # an option that obstore does not know leaves the copy to rclone
            pair.api.connect("by-rclone", {**proxy.store.parameters, **in_parts}),
            pair.api.connect("by-obstore", proxy.store.parameters),
        ]
        ups = {
            number: pair.api.copy(
                instance=pair.instance,
                connection=movers[number % 2],
                direction="instance_to_cloud",
                src=f"/src/{number}",
                dst=f"{pair.bucket}/{number}",
            )
            for number in trees
        }
        ends: dict[str, dict[str, Any]] = {}
        killed: Counter[str] = Counter()
        waiting = list(ups.values())
        for kill in range(kills):
            # Between two kills about as many copies end as are left for each kill.
            goal = copies * (kill + 1) // (kills + 1)
            while len(ends) < goal and waiting:
                ends[waiting[0]] = pair.api.wait(waiting[0], patience=600)
                waiting.pop(0)
            victim = draw.choice(["server", "agent"])
            killed[victim] += 1
            getattr(pair, victim).kill()
            if victim == "agent":
                eventually(lambda: not rclones(pair.work), "rclone died with its agent")
                pair.agent = pair.start_agent()
            else:
                pair.server = pair.start_server()
                pair.api.wait_until_up()
        for id in waiting:
            ends[id] = pair.api.wait(id, patience=600)
        # What was sent comes back the same.
        downs = {
            number: pair.api.copy(
                instance=pair.instance,
                connection=movers[number % 2],
                direction="cloud_to_instance",
                src=f"{pair.bucket}/{number}",
                dst=f"/back/{number}",
            )
            for number in list(trees)[:: max(1, copies // 25) | 1]
        }
        for id in downs.values():
            ends[id] = pair.api.wait(id, patience=600)

    lost = [id for id, end in ends.items() if end["state"] not in FINAL]
    untrue = []
    with s3.client() as client:
        for number, id in ups.items():
            there = in_store(client, pair.bucket, f"{number}/")
            if ends[id]["state"] == "succeeded" and digests(there) != digests(trees[number]):
                untrue.append(id)
        unfinished = client.list_multipart_uploads(Bucket=pair.bucket).get("Uploads") or []
    for number, id in downs.items():
        back = on_disk(pair.root / "back" / str(number))
        if ends[id]["state"] == "succeeded" and digests(back) != digests(trees[number]):
            untrue.append(id)
    states = Counter(end["state"] for end in ends.values())
    partials = list(pair.root.rglob("*.partial"))
    runs = [*(pair.work / "run").glob("*")] if (pair.work / "run").exists() else []
    ledgers = eventually_none(pair.work / "ledgers")
    orphans = rclones(pair.work)
    twice = {id: count for id, count in most.items() if count > 1}
    print(
        f"seed {SEED}: {len(ends)} copies, kills {dict(killed)}, "
        f"faults {sum(proxy.seen[each] for each in KINDS)}, states {dict(states)}\n"
        f"lost {len(lost)}, double runs {len(twice)}, false successes {len(untrue)}, "
        f"leftovers: {len(partials)} partial files, {len(unfinished)} unfinished uploads, "
        f"{sum(orphans.values())} processes, {len(runs)} run directories, {len(ledgers)} ledgers"
    )
    assert (lost, twice, untrue) == ([], {}, [])
    assert (partials, unfinished, runs, ledgers, dict(orphans)) == ([], [], [], [], {})
    assert states["succeeded"] == len(ends)


def eventually_none(directory: Path) -> list[str]:
    """What is still in `directory` once its files had their time to be acknowledged."""

    def left() -> list[str]:
        return [each.name for each in directory.iterdir()] if directory.exists() else []

    try:
        eventually(lambda: not left(), "the ledgers are shipped", patience=60)
    except AssertionError:
        return left()
    return []
