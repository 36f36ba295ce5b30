"""Plans carried out: exactly what was agreed to, and deletions last of all."""

import json
import os

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Mode, Work
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Done, Partial
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Call
from tests.faults.proxy import fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE
MIRROR = {"mode": Mode.MIRROR}


async def agreed(bench: Bench, direction=UP, local="data", **options: str) -> dict[str, object]:
    plan = await bench.copy(direction, local, "run", asked={"work": Work.PLAN, **MIRROR}, **options)
    assert isinstance(plan, Done), plan
    digests = plan.result.digests
    return {**MIRROR, "agreed": (digests.source, digests.destination)}


@pytest.mark.parametrize("store", ["s3", "local"])
async def test_a_mirror_does_what_its_plan_says_and_proves_it(bench: Bench, store: str):
    options = {"path": "shelf"} if store == "local" else {}
    for name in ("same.txt", "old.txt", "extra.txt", "deep/extra.txt"):
        bench.write(f"data/{name}", name)
    await bench.copy(UP, "data", "run", **options)
    for name in ("extra.txt", "deep/extra.txt"):
        (bench.root / "data" / name).unlink()
    bench.write("data/old.txt", "of another size")
    bench.write("data/new.txt", "new")
    asked = await agreed(bench, **options)
    planned = {path: row.outcome for path, row in bench.rows().items()}
    assert planned == {
        "same.txt": Outcome.UNCHANGED,
        "old.txt": Outcome.UPDATE,
        "new.txt": Outcome.NEW,
        "extra.txt": Outcome.DELETE,
        "deep/extra.txt": Outcome.DELETE,
    }
    end = await bench.copy(UP, "data", "run", asked=asked, **options)
    assert isinstance(end, Done), end
    done = {path: row.outcome for path, row in bench.rows().items()}
    assert done == {
        "same.txt": Outcome.UNCHANGED,
        "old.txt": Outcome.COPIED,
        "new.txt": Outcome.COPIED,
        "extra.txt": Outcome.DELETED,
        "deep/extra.txt": Outcome.DELETED,
    }
    result = end.result
    assert (result.copied, result.deleted, result.found) == (2, 2, 3)
    assert (result.verified, result.at_destination) == (Verified.HASH, 4)
    back = await bench.copy(DOWN, "back", "run", **options)
    assert {each.name for each in (bench.root / "back").rglob("*.txt")} == {
        "same.txt",
        "old.txt",
        "new.txt",
    }, back


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_nothing_is_done_when_a_side_changed_since_the_plan(bench: Bench, side: str):
    bench.write("data/a.txt", "a")
    bench.write("data/extra.txt", "extra")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/extra.txt").unlink()
    asked = await agreed(bench)
    if side == "source":
        bench.write("data/late.txt", "late")
    else:
        bench.write("more/late.txt", "late")
        await bench.copy(UP, "more", "run")
    before = bench.keys()
    end = await bench.copy(UP, "data", "run", asked=asked)
    assert isinstance(end, Broken), end
    assert f"the {side} changed since the plan was made" in end.reason
    assert bench.keys() == before
    assert not bench.ledger.exists()


async def test_nothing_is_deleted_when_a_file_could_not_be_copied(bench: Bench):
    bench.write("data/extra.txt", "extra")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/extra.txt").unlink()
    bench.write("data/new.txt", "new")
    bench.write("data/other.txt", "other")
    with fault_proxy(bench.s3) as proxy:
        endpoint = proxy.store.endpoint
        asked = await agreed(bench, endpoint=endpoint)
        proxy.faults = lambda request: (
            faults.DENIED if request.call is Call.PUT and "new.txt" in request.target else None
        )
        end = await bench.copy(UP, "data", "run", asked=asked, endpoint=endpoint)
    assert isinstance(end, Partial), end
    rows = bench.rows()
    assert (rows["new.txt"].code, rows["extra.txt"].code) == ("access_denied", "not_deleted")
    assert bench.keys() == {"run/extra.txt", "run/other.txt"}
    assert end.result.deleted == 0


async def test_a_plan_and_a_check_make_no_directory_on_the_instance(bench: Bench):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run")
    for work in (Work.PLAN, Work.CHECK):
        end = await bench.copy(DOWN, "made/by/it", "run", asked={"work": work})
        assert not isinstance(end, Broken), end
        assert json.dumps([each.path for each in bench.rows().values()]) == '["a.txt"]'
    assert not (bench.root / "made").exists()


async def test_a_mirror_that_has_nothing_to_copy_still_deletes(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/extra.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/extra.txt").unlink()
    end = await bench.copy(UP, "data", "run", asked=await agreed(bench))
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged, end.result.deleted) == (0, 1, 1)
    assert bench.keys() == {"run/a.txt"}


async def test_what_lies_in_a_directory_that_cannot_be_read_is_never_deleted(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/closed/b.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/closed").chmod(0o000)
    if os.geteuid() == 0:  # a copy is done as the instance's user, whom the mode binds
        for each in (bench.root, bench.root / "data", bench.root / "data/closed"):
            os.chown(each, 4321, 4321)
    plan = await bench.copy(UP, "data", "run", asked={"work": Work.PLAN, **MIRROR})
    digests = plan.result.digests
    asked = {**MIRROR, "agreed": (digests.source, digests.destination)}
    end = await bench.copy(UP, "data", "run", asked=asked)
    assert isinstance(end, Partial | Broken), end
    assert end.result.deleted == 0
    assert bench.keys() == {"run/a.txt", "run/closed/b.txt"}
