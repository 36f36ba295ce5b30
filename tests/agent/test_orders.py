"""The words of an order: checked again on the machine, and handed to the engine as they mean."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudcopy.domain.order import Mode, Verify, Work
from cloudcopy.domain.paths import InstancePath
from cloudcopy.ports.engine import Elsewhere, Neighbour
from tests.agent.conftest import ORDER, want

AGREED = ("ab" * 32, "cd" * 32)


async def test_what_is_to_be_done_reaches_the_engine(start):
    agent = await start(copies=9)
    await agent.told(
        ORDER,
        want(transfer="t_2", work="plan", mode="mirror", verify="none"),
        want(transfer="t_3", work="check", verify="size"),
        want(transfer="t_4", mode="mirror", agreed=AGREED),
    )
    await agent.until(lambda: agent.engine.running == 4)
    said = {
        copy.transfer: (copy.work, copy.mode, copy.verify, copy.agreed)
        for copy in agent.engine.copies
    }
    assert said == {
        "t_1": (Work.TRANSFER, Mode.COPY, Verify.HASH, None),
        "t_2": (Work.PLAN, Mode.MIRROR, Verify.NONE, None),
        "t_3": (Work.CHECK, Mode.COPY, Verify.SIZE, None),
        "t_4": (Work.TRANSFER, Mode.MIRROR, Verify.HASH, AGREED),
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"work": "dance"}, "order: this agent does not know it: 'dance' is not a valid Work"),
        ({"mode": "sync"}, "order: this agent does not know it: 'sync' is not a valid Mode"),
        ({"verify": "yes"}, "order: this agent does not know it: 'yes' is not a valid Verify"),
        ({"scope": "some"}, "order: this agent does not know it: 'some' is not a valid Scope"),
        ({"direction": "up"}, "order: this agent does not know it: 'up' is not a valid Direction"),
        ({"bwlimit": "fast"}, "bwlimit: must be a rate"),
        ({"mode": "mirror"}, "mode: a mirror needs the plan that it carries out"),
    ],
)
async def test_an_order_that_makes_no_sense_here_ends_in_words(start, change, words):
    agent = await start()
    await agent.told(want(**change))
    await agent.until(lambda: agent.end("failed"))
    assert agent.end("failed").reason.startswith(words)
    assert agent.engine.copies == []


@pytest.mark.parametrize("id", ["../../etc", "/etc", "t/1", "", "t_1\n", "."])
async def test_an_id_that_is_a_path_touches_no_disk(start, id, tmp_path):
    agent = await start()
    before = sorted(tmp_path.rglob("*"))
    await agent.told(want(transfer=id))
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    assert [copy.transfer for copy in agent.engine.copies] == ["t_1"]
    assert await agent.journal.get(id, 1) is None
    assert {path.parts[len(tmp_path.parts)] for path in tmp_path.rglob("*")} <= {
        *(path.name for path in before),
        "ledgers",
    }


async def test_without_a_limit_the_flags_decide(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    assert agent.engine.copies[0].pace() is None


async def test_a_limit_is_changed_while_the_copy_runs(start):
    agent = await start()
    await agent.told(want(bwlimit="1M"))
    await agent.until(lambda: agent.engine.running == 1)
    pace = agent.engine.copies[0].pace
    seen = [pace()]
    for limit in ("2M", "off", "", "nonsense", "3M"):
        await agent.told(want(bwlimit=limit))
        seen.append(pace())
    mib = 1024 * 1024
    assert seen == [mib, 2 * mib, 0, None, None, 3 * mib]


async def test_a_limit_that_changes_while_the_copy_waits_its_turn_is_the_one_it_has(start):
    agent = await start(copies=1)
    await agent.told(ORDER, want(transfer="t_2", bwlimit="1M"))
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(ORDER, want(transfer="t_2", bwlimit="2M"))
    agent.engine.finish("t_1")
    await agent.until(lambda: len(agent.engine.copies) == 2)
    assert agent.engine.copies[1].pace() == 2 * 1024 * 1024


async def test_a_timetable_goes_by_the_clock_of_its_place(start):
    clock = [datetime(2026, 7, 1, 5, 59, tzinfo=UTC)]  # 07:59 in Berlin
    agent = await start(now=lambda: clock[0])
    await agent.told(want(bwlimit="08:00,1M 18:00,off [Europe/Berlin]"))
    await agent.until(lambda: agent.engine.running == 1)
    pace = agent.engine.copies[0].pace
    assert pace() == 0
    clock[0] = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    assert pace() == 1024 * 1024


async def test_a_resumed_copy_has_the_limit_that_its_order_had(start):
    first = await start()
    await first.told(want(bwlimit="1M"))
    await first.until(lambda: first.engine.running == 1)
    second = await start()
    await second.until(lambda: second.engine.running == 1)
    assert second.engine.copies[0].pace() == 1024 * 1024


async def test_another_instance_on_this_machine_is_read_directly(start, tmp_path: Path):
    agent = await start()
    agent.instance = {"way": "direct", "instance": "box", "path": "other/x"}
    await agent.told(want(direction="cloud_to_instance"))
    await agent.until(lambda: agent.engine.copies)
    source = agent.engine.copies[0].source
    assert source == Neighbour(root=tmp_path, path=InstancePath("other/x"))


async def test_an_instance_elsewhere_is_read_through_a_tunnel_whose_token_is_renewed(start):
    agent = await start()
    agent.instance = {"way": "relay", "token": "FIRST", "name": "it"}
    await agent.told(want(direction="cloud_to_instance"))
    await agent.until(lambda: agent.engine.copies)
    source = agent.engine.copies[0].source
    assert isinstance(source, Elsewhere)
    assert source.name == "it"
    token, renew = source.tunnel(Path("/run/it"))
    assert token == "FIRST"
    agent.instance["token"] = "SECOND"
    renewed = asyncio.ensure_future(renew())
    await agent.until(renewed.done)
    assert renewed.result() == "SECOND"
    assert "FIRST" not in repr(agent.engine.copies[0].backend)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"way": "by pigeon"}, "does not know the way"),
        ({"way": "direct", "instance": "gone"}, "no longer on its machine"),
        ({"way": "direct", "instance": "box", "path": "../x"}, "climbs with"),
    ],
)
async def test_a_way_to_another_instance_that_is_not_good_is_refused(start, way, words: str):
    agent = await start()
    agent.instance = way
    await agent.told(want(direction="cloud_to_instance"))
    await agent.until(lambda: agent.end("failed"))
    assert words in agent.end("failed").reason
    assert not agent.engine.copies
