"""The ledger's way to the control plane: before the report, once more after a death."""

from dataclasses import replace

import pytest

from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.progress import Result
from cloudcopy.ports.engine import Halted, Partial
from cloudcopy.ports.journal import Journal, Standing
from cloudcopy.wire.agent import Ack, LedgerAck, LedgerChunk, Report
from tests.agent.conftest import LEDGER, ORDER, Agent, want

SENT = list(enumerate(LEDGER))


def truth(agent: Agent) -> list[int | str]:
    """What was said of an end, in order: numbers of chunks, and the kind of the report."""
    return [
        each.number if isinstance(each, LedgerChunk) else each.kind
        for each in agent.said
        if isinstance(each, LedgerChunk) or (isinstance(each, Report) and each.kind != "started")
    ]


async def ran(agent: Agent, *, ledger=LEDGER, transfer: str = "t_1") -> None:
    """A copy, up to the moment when it ends."""
    await agent.told(want(transfer=transfer), full=False)
    await agent.until(lambda: any(copy.transfer == transfer for copy in agent.engine.copies))
    agent.engine.finish(transfer, ledger=ledger)


async def cut_off(agent: Agent, *, acked: int) -> None:
    """A copy has ended, and of its ledger so many chunks were acknowledged."""
    agent.silent = (LedgerChunk,)
    await ran(agent)
    for number in range(acked):
        await agent.until(lambda number=number: len(agent.chunks) > number)
        await agent.worker.hear(LedgerAck(transfer="t_1", attempt=1, number=number))
    await agent.until(lambda: len(agent.chunks) == acked + 1)


async def test_the_report_follows_the_last_chunk_and_says_how_many_there_are(start):
    agent = await start()
    await ran(agent)
    await agent.until(lambda: agent.end("succeeded"))
    assert agent.chunks == SENT
    assert truth(agent) == [0, 1, 2, "succeeded"]
    assert agent.end("succeeded").chunks == 3
    assert {each.fence for each in agent.said if isinstance(each, LedgerChunk)} == {"f1"}


async def test_an_end_without_a_ledger_is_reported_at_once(start):
    agent = await start()
    await ran(agent, ledger=())
    await agent.until(lambda: agent.end("succeeded"))
    assert truth(agent) == ["succeeded"]
    assert agent.end("succeeded").chunks == 0


@pytest.mark.parametrize("end", [Partial("one is missing", Result(failed=1)), Halted(Result())])
async def test_a_ledger_is_sent_however_the_copy_ended(start, end):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    agent.engine.finish("t_1", end, ledger=LEDGER)
    kind = "partial" if isinstance(end, Partial) else "stopped"
    await agent.until(lambda: agent.end(kind))
    assert truth(agent) == [0, 1, 2, kind]
    report = agent.end(kind)
    assert (report.result, report.reason) == (end.result, getattr(end, "reason", ""))


async def test_the_end_is_in_the_journal_before_the_first_chunk_goes_out(start):
    agent = await start()
    await cut_off(agent, acked=0)
    entry = await agent.journal.get("t_1", 1)
    assert (entry.standing, entry.report.kind, entry.report.chunks) == (
        Standing.ENDED,
        "succeeded",
        3,
    )


async def test_one_chunk_is_in_memory_and_it_is_repeated_until_acknowledged(start):
    agent = await start()
    await cut_off(agent, acked=1)
    outbox = agent.worker.bench.outbox
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="started"))
    for _ in range(3):
        outbox.again()  # the socket is new, or the control plane takes its time
        assert [each.number for each in outbox.take()] == [1]
    await agent.worker.hear(LedgerAck(transfer="t_1", attempt=1, number=0))  # late, repeated
    agent.silent = ()
    agent.said.clear()
    outbox.again()
    await agent.until(lambda: agent.end("succeeded"))
    assert agent.chunks == SENT[1:]


async def test_the_file_goes_when_the_report_is_acknowledged(start):
    agent = await start()
    await ran(agent)
    await agent.until(lambda: agent.end("succeeded"))
    assert agent.ledgers == ["t_1-1"]
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="started"))
    assert agent.ledgers == ["t_1-1"]
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="succeeded"))
    assert agent.ledgers == []
    assert (await agent.journal.get("t_1", 1)).standing is Standing.SETTLED


@pytest.mark.parametrize("acked", [0, 1, 2])
async def test_an_agent_that_died_on_the_way_sends_all_of_it_again(start, acked):
    first = await start()
    await cut_off(first, acked=acked)
    second = await start()
    await second.until(lambda: second.end("succeeded"))
    assert second.chunks == SENT
    assert truth(second) == [0, 1, 2, "succeeded"]
    assert second.end("succeeded").chunks == 3
    assert second.engine.copies == []


async def test_an_agent_that_died_before_the_acknowledgement_of_its_report_does_as_well(start):
    first = await start()
    await ran(first)
    await first.until(lambda: first.end("succeeded"))
    second = await start()
    await second.until(lambda: second.end("succeeded"))
    assert truth(second) == [0, 1, 2, "succeeded"]


async def test_a_report_whose_ledger_is_gone_says_that_it_has_none(start):
    first = await start()
    await cut_off(first, acked=1)
    (first.directory / "ledgers" / "t_1-1").unlink()
    second = await start()
    await second.until(lambda: second.end("succeeded"))
    assert truth(second) == ["succeeded"]
    assert second.end("succeeded").chunks == 0


async def test_a_ledger_that_was_cut_short_is_sent_as_far_as_it_goes(start):
    first = await start()
    await cut_off(first, acked=0)
    path = first.directory / "ledgers" / "t_1-1"
    path.write_bytes(path.read_bytes()[:-1])
    second = await start()
    await second.until(lambda: second.end("succeeded"))
    assert second.chunks == SENT[:2]
    assert second.end("succeeded").chunks == 2


async def test_ledgers_that_belong_to_no_end_are_removed_at_the_start(start):
    first = await start()
    await cut_off(first, acked=0)
    await first.told(want(transfer="t_2"), full=False)
    await first.until(lambda: first.engine.running == 1)
    for leftover in ("t_2-1", "t_9-1"):  # of one that runs, and of one nobody knows
        (first.directory / "ledgers" / leftover).write_bytes(b"half")
    second = await start()
    assert second.ledgers == ["t_1-1"]


async def test_what_an_earlier_try_wrote_is_not_the_ledger_of_one_that_never_ran(start):
    agent = await start()
    directory = agent.directory / "ledgers"
    directory.mkdir(parents=True)
    (directory / "t_1-1").write_bytes(b"\0\0\0\1x")
    await agent.told(want(want="stop"))
    await agent.until(lambda: agent.end("stopped"))
    assert truth(agent) == ["stopped"]


async def test_an_order_that_is_said_again_meanwhile_sends_nothing_twice(start):
    agent = await start()
    await cut_off(agent, acked=1)
    await agent.told(ORDER)
    agent.silent = ()
    agent.worker.bench.outbox.again()
    await agent.until(lambda: agent.end("succeeded"))
    await agent.told(ORDER)  # the control plane still looks into it
    await agent.told(ORDER)
    await ran(agent, transfer="t_2", ledger=())
    await agent.until(lambda: len([each for each in truth(agent) if each == "succeeded"]) == 2)
    assert truth(agent) == [0, 1, 1, 2, "succeeded", "succeeded"]


async def test_no_copy_waits_for_the_ledger_of_another(start):
    agent = await start(copies=1)
    await cut_off(agent, acked=0)
    await ran(agent, transfer="t_2", ledger=())
    await agent.until(lambda: agent.end("succeeded"))
    assert agent.end("succeeded").transfer == "t_2"


async def test_few_ledgers_are_on_their_way_at_once_and_all_arrive(start):
    agent = await start(copies=20)
    agent.silent = (LedgerChunk,)
    for number in range(20):
        await ran(agent, transfer=f"t_{number}", ledger=LEDGER[:1])
    await agent.until(lambda: len(agent.chunks) == 8)
    agent.silent = ()
    agent.worker.bench.outbox.again()
    await agent.until(lambda: truth(agent).count("succeeded") == 20)
    assert len(agent.chunks) == 8 + 20


class FullDisk:
    """A journal that cannot be written while `full`."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self.full = journal, False
        self.refused: list[str] = []

    def __getattr__(self, name: str):
        if self.full:
            self.refused.append(name)
            raise Unavailable("no space left")
        return getattr(self._journal, name)


async def test_what_could_not_be_written_down_is_done_once_it_can(start):
    agent = await start()
    disk = FullDisk(agent.journal)
    agent.worker.bench = replace(agent.worker.bench, journal=disk)
    await ran(agent)
    disk.full = True
    await agent.until(lambda: "ended" in disk.refused)
    await agent.told(want(transfer="t_2"), full=False)
    disk.full = False
    await agent.told(ORDER, want(transfer="t_2"))
    await agent.until(lambda: agent.end("succeeded") and agent.engine.running == 1)
    assert sorted((copy.transfer, copy.resumed) for copy in agent.engine.copies) == [
        ("t_1", False),
        ("t_1", True),
        ("t_2", False),
    ]
    assert truth(agent) == [0, 1, 2, "succeeded"]
    disk.full = True
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="succeeded"))
    assert agent.ledgers == ["t_1-1"]  # it is sent again after the next start
