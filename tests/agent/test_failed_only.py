"""An attempt about the files only that failed in the one before."""

import json

from cloudcopy.wire.agent import Names, NeedBackend, NeedNames
from tests.agent.conftest import Agent, want

AGAIN = want(attempt=2, fence="f2", scope="failed")
NAMES = ["a", "dir/ünï\n\u2028", 'quo"te', "d", "e"]


def lists(agent: Agent) -> list[str]:
    """The lists of names on disk."""
    return [path.name for path in (agent.directory / "work" / "only").glob("*")]


def asked(agent: Agent) -> list[int]:
    return [each.after for each in agent.said if isinstance(each, NeedNames)]


async def test_the_names_are_asked_for_page_by_page_and_the_engine_has_them_all(start):
    agent = await start()
    agent.failed = NAMES
    await agent.told(AGAIN)
    await agent.until(lambda: agent.engine.running == 1)
    assert asked(agent) == [0, 2, 4]
    assert [json.loads(line) for line in agent.engine.only[0]] == NAMES
    assert agent.worker.bench.outbox.take() == []


async def test_the_list_is_gone_when_the_copy_has_ended(start):
    agent = await start()
    agent.failed = NAMES
    await agent.told(AGAIN)
    await agent.until(lambda: agent.engine.running == 1)
    assert lists(agent) == ["t_1-2"]
    agent.engine.finish("t_1")
    await agent.until(lambda: agent.end("succeeded"))
    assert lists(agent) == []


async def test_a_copy_of_everything_asks_for_no_names(start):
    agent = await start()
    agent.failed = NAMES
    await agent.told(want())
    await agent.until(lambda: agent.engine.running == 1)
    assert (asked(agent), agent.engine.copies[0].only) == ([], None)


async def test_where_nothing_had_failed_the_end_says_what_to_do(start):
    agent = await start()
    await agent.told(AGAIN)
    await agent.until(lambda: agent.end("failed"))
    assert agent.end("failed").reason == (
        "Nothing is left of the attempt before to try again; retry all of it."
    )
    assert (agent.engine.copies, lists(agent)) == ([], [])


async def test_a_stop_while_names_are_asked_for_is_obeyed(start):
    agent = await start()
    agent.failed, agent.silent = NAMES, (NeedNames,)
    await agent.told(AGAIN)
    await agent.until(lambda: asked(agent))
    await agent.told(want(AGAIN, want="stop"))
    await agent.until(lambda: agent.end("stopped"))
    assert (agent.engine.copies, lists(agent)) == ([], [])
    agent.worker.bench.outbox.again()
    kinds = {type(each) for each in agent.worker.bench.outbox.take()}
    assert NeedNames not in kinds


async def test_a_stop_while_credentials_are_asked_for_is_obeyed(start):
    agent = await start()
    agent.silent = (NeedBackend,)
    await agent.told(want())
    await agent.until(lambda: any(isinstance(each, NeedBackend) for each in agent.said))
    await agent.told(want(want="stop"))
    await agent.until(lambda: agent.end("stopped"))
    assert agent.engine.copies == []


async def test_a_page_that_arrives_twice_is_taken_once(start):
    agent = await start()
    agent.failed, agent.silent = NAMES[:4], (NeedNames,)
    await agent.told(AGAIN)
    await agent.until(lambda: asked(agent) == [0])
    first = Names(transfer="t_1", attempt=2, after=0, names=NAMES[:2], more=True)
    await agent.worker.hear(first)
    await agent.until(lambda: asked(agent) == [0, 2])
    await agent.worker.hear(first)
    agent.silent = ()
    agent.worker.bench.outbox.again()
    await agent.until(lambda: agent.engine.running == 1)
    assert [json.loads(line) for line in agent.engine.only[0]] == NAMES[:4]


async def test_an_agent_that_died_meanwhile_asks_from_the_beginning(start):
    first = await start()
    first.failed, first.silent = NAMES, (NeedNames,)
    await first.told(AGAIN)
    await first.until(lambda: asked(first))
    second = await start()
    second.failed = NAMES
    await second.until(lambda: second.engine.running == 1)
    assert [json.loads(line) for line in second.engine.only[0]] == NAMES
    assert not second.engine.copies[0].resumed
