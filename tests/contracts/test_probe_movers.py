"""Which mover the control plane looks with, when it is started, and what only one of them sees."""

import asyncio
import base64
import hashlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from cloudcopy.adapters.rclone import recheck, standby
from cloudcopy.adapters.rclone.standby import Eyes, Opening
from cloudcopy.domain.connection import backend
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.progress import Recheck
from demo.seaweed import S3
from tests.contracts.test_probe import BUCKET, Bench, bench, row, s3
from tests.faults.faults import Call, Fault, Request
from tests.faults.proxy import fault_proxy

__all__ = ["bench", "s3"]  # fixtures


@pytest.fixture
def started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    """What movers were started with, in order."""
    openings: list[Opening] = []
    standby = bench.probe.standby
    real = standby.opened

    def opened(opening: Opening) -> AbstractAsyncContextManager[Eyes]:
        openings.append(opening)
        return real(opening)

    object.__setattr__(standby, "opened", opened)
    return openings


async def test_a_look_that_was_expected_is_done_by_the_mover_that_waits(
    bench: Bench, started: list[Opening]
):
    bench.put("a")
    for attempt in ("one", "other"):
        bench.probe.expect(bench.claim(up=True, attempt=attempt))
    bench.probe.expect(bench.claim(up=True, attempt="one"))
    found = await bench.look([row("a")], up=True, attempt="one")
    assert (found.recheck.files, len(started)) == (1, 2)
    bench.probe.dismiss("other")
    await bench.probe.close()  # would wait for ever for one that is not told to end
    again = await bench.look([row("a")], up=True, attempt="one")
    assert (again.recheck.files, len(started)) == (1, 3)


async def test_a_mover_that_waits_for_other_flags_is_not_used(bench: Bench, started: list[Opening]):
    bench.put("a.txt")
    bench.put("b.tmp")
    bench.probe.expect(bench.claim(up=False, attempt="one"))
    flags = ["--exclude=*.tmp"]
    found = await bench.look([row("a.txt")], up=False, flags=flags, attempt="one")
    assert (found.count, len(started)) == (0, 2)
    await bench.probe.close()


async def test_few_movers_wait_and_not_for_long(
    bench: Bench, started: list[Opening], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(standby, "KEPT_SECONDS", 0.0)
    for number in range(standby.AHEAD + 2):
        bench.probe.expect(bench.claim(up=True, attempt=str(number)))
    gone = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, gone.set)  # after those of the movers
    await gone.wait()
    assert bench.probe.standby.waiting == 0
    await bench.probe.close()
    assert len(started) == standby.AHEAD


@pytest.mark.parametrize("after", [False, True])
async def test_a_mover_that_dies_is_replaced_by_rclone(
    bench: Bench, started: list[Opening], monkeypatch: pytest.MonkeyPatch, after: bool
):
    bench.put("a")
    real = recheck.look_at

    async def dying(call, *rest, **more):
        if len(started) == 1:
            (task,) = [each for each in held if each]
            task.daemon.confined.kill()
            await task.daemon.confined.wait()
        return await real(call, *rest, **more)

    held: list[Eyes] = []
    opened = bench.probe.standby.opened

    @asynccontextmanager
    async def watched(opening: Opening) -> AsyncIterator[Eyes]:
        async with opened(opening) as eyes:
            held.append(eyes)
            if not after and len(held) == 1:
                eyes.daemon.confined.kill()
            yield eyes

    object.__setattr__(bench.probe.standby, "opened", watched)
    if after:
        monkeypatch.setattr(recheck, "look_at", dying)
    found = await bench.look([row("a"), row("b")], up=True)
    assert dict(found.wrong) == {"b": "it is not in the store"}
    assert [each.mover for each in started][1:] == [Mover.RCLONE]


async def test_names_that_only_rclone_writes_are_looked_at_by_rclone(
    bench: Bench, started: list[Opening]
):
    for name in ("a", "tab\tin it", "z"):
        bench.put(name)
    found = await bench.look([row("a"), row("z", b"12")], up=False)
    assert found.count == 2
    assert dict(found.wrong)["z"] == "it has 1 bytes in the store, 2 in the report"
    assert started[-1].mover is Mover.RCLONE


async def test_a_lie_is_found_in_a_directory_of_many_pages(bench: Bench, s3: S3):
    names = [f"{number:05}" for number in range(2_500)]
    with s3.client() as client, ThreadPoolExecutor(16) as pool:

        def put(name: str) -> None:
            client.put_object(Bucket=BUCKET, Key=f"{bench.prefix}/d/{name}", Body=b"x")

        list(pool.map(put, (each for each in names if each not in ("01234", "02499"))))
        put("stray")
    rows = [row(f"d/{name}") for name in names]
    rows[700] = row("d/00700", b"y")
    up = await bench.look(rows, up=True)
    assert dict(up.wrong) == {
        "d/00700": "its content in the store is not what was reported",
        "d/01234": "it is not in the store",
        "d/02499": "it is not in the store",
    }
    assert up.recheck == Recheck(files=2_498, hashed=2_497)
    down = await bench.look(rows, up=False)
    assert dict(down.wrong) == {
        "d/00700": "its content in the store is not what was reported",
        "d/stray": "the report leaves it out",
    }


async def test_the_md5_of_an_object_in_parts_is_looked_at(bench: Bench):
    """rclone keeps it in the metadata, which no listing has."""
    content = os.urandom(5 << 20) + b"x"
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    with bench.s3.client() as client:
        about = {"Bucket": BUCKET, "Key": f"{bench.prefix}/large"}
        told = {"md5chksum": base64.b64encode(digest).decode()}
        upload = client.create_multipart_upload(**about, Metadata=told)["UploadId"]
        parts = []
        for number, part in ((1, content[: 5 << 20]), (2, content[5 << 20 :])):
            sent = client.upload_part(**about, UploadId=upload, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        whole = client.complete_multipart_upload(
            **about, UploadId=upload, MultipartUpload={"Parts": parts}
        )
    tags = bench.mover is Mover.OBJECTS  # which rclone does not tell
    few = [row("large", content)]
    for up in (True, False):
        found = await bench.look(few, up=up)
        assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=1))
        lie = await bench.look([replace(few[0], hash="0" * 32)], up=up)
        assert lie.count == 1
        tag = whole["ETag"].strip('"')
        found = await bench.look([replace(few[0], hash=tag)], up=up)
        assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=int(tags)))
        lie = await bench.look([replace(few[0], hash=f"{'0' * 32}-2")], up=up)
        assert lie.count == int(tags)


@pytest.mark.parametrize("bench", [Mover.OBJECTS], indirect=True)
async def test_a_small_tree_costs_no_request_for_each_directory(bench: Bench, s3: S3):
    names = ["top", "a/b/c/d", "a/e"]
    for name in names:
        bench.put(name)
    seen: Counter[Call] = Counter()

    def count(request: Request) -> Fault | None:
        seen[request.call] += 1
        return None

    with fault_proxy(s3) as proxy:
        proxy.faults = count
        through = backend("s3", {**s3.parameters, "endpoint": proxy.store.endpoint})
        found = await bench.look(map(row, names), up=False, backend=through)
        lie = await bench.look(map(row, names[1:]), up=False, backend=through)
        # More than are looked at one by one; they are not there.
        gone = [row(f"gone/{number}/x") for number in range(40)]
        sent = await bench.look(gone, up=True, backend=through)
    assert (found.recheck.files, found.count) == (3, 0)
    assert lie.wrong == (("top", "the report leaves it out"),)
    assert (sent.count, sent.recheck.files) == (40, 0)
    # Whether the source is a single file, and the tree; its top besides, for one that is large.
    assert seen[Call.HEAD] == 2
    assert seen[Call.LIST] <= 6
    assert seen.total() == seen[Call.HEAD] + seen[Call.LIST]
