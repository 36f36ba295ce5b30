"""The agent's side of the command path's rules."""

from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.ports.engine import Broken, Done
from cloudcopy.ports.journal import Standing
from cloudcopy.wire.agent import Ack, Desired, ProgressNow
from tests.agent.conftest import ORDER, want


async def test_an_order_is_in_the_journal_before_anything_is_started_for_it(start):
    agent = await start()
    await agent.told(ORDER)
    entry = await agent.journal.get("t_1", 1)
    assert (entry.standing, agent.engine.copies) == (Standing.ACCEPTED, [])
    await agent.until(lambda: agent.engine.running == 1)
    assert (await agent.journal.get("t_1", 1)).standing is Standing.STARTED


async def test_an_order_said_ten_times_runs_once(start):
    agent = await start()
    for _ in range(10):
        await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(ORDER)
    agent.engine.finish("t_1")
    await agent.until(lambda: ("t_1", 1, "succeeded") in agent.reports)
    assert len(agent.engine.copies) == 1


async def test_an_attempt_that_has_ended_is_reported_again_and_never_started_again(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    agent.engine.finish("t_1", Broken("disk full", Result(failed=1)))
    await agent.until(lambda: ("t_1", 1, "failed") in agent.reports)
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="failed"))
    assert (await agent.journal.get("t_1", 1)).standing is Standing.SETTLED
    agent.said.clear()
    await agent.told(ORDER)  # a server restored from a backup does not know the end
    await agent.until(lambda: ("t_1", 1, "failed") in agent.reports)
    assert len(agent.engine.copies) == 1
    again = await start()
    await again.told(ORDER)
    await again.until(lambda: ("t_1", 1, "failed") in again.reports)
    assert again.engine.copies == []


async def test_a_report_is_repeated_until_it_is_acknowledged(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    agent.engine.finish("t_1")
    await agent.until(lambda: ("t_1", 1, "succeeded") in agent.reports)
    for _ in range(3):
        agent.said.clear()
        agent.worker.bench.outbox.again()
        await agent.until(lambda: ("t_1", 1, "succeeded") in agent.reports)
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="succeeded"))
    await agent.worker.hear(Ack(transfer="t_1", attempt=1, kind="started"))
    agent.worker.bench.outbox.again()
    assert agent.worker.bench.outbox.take() == []


async def test_a_copy_that_ran_when_the_agent_died_is_resumed_and_marked_so(start):
    first = await start()
    await first.told(ORDER)
    await first.until(lambda: first.engine.running == 1)
    second = await start()
    await second.until(lambda: second.engine.running == 1)
    assert second.engine.copies[0].resumed
    assert first.engine.running == 0
    second.engine.finish("t_1")
    await second.until(lambda: ("t_1", 1, "succeeded") in second.reports)
    third = await start()
    await third.until(lambda: ("t_1", 1, "succeeded") in third.reports)
    assert third.engine.copies == []


async def test_an_order_to_stop_what_never_ran_is_answered_without_running_it(start):
    agent = await start()
    await agent.told(want(want="stop"))
    await agent.until(lambda: ("t_1", 1, "stopped") in agent.reports)
    assert agent.engine.copies == []


async def test_a_stop_ends_a_running_copy(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(want(want="stop"))
    await agent.until(lambda: ("t_1", 1, "stopped") in agent.reports)
    assert agent.engine.running == 0


async def test_a_copy_that_finished_before_the_stop_arrived_is_a_success(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    agent.engine.finish("t_1", Done(Result(found=1, copied=1)))
    await agent.told(want(want="stop"))
    await agent.until(lambda: len(agent.reports) == 2)
    assert agent.reports == [("t_1", 1, "started"), ("t_1", 1, "succeeded")]


async def test_a_stop_between_order_and_start_is_seen(start):
    agent = await start(copies=1)
    await agent.told(ORDER, want(transfer="t_2"))
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(ORDER, want(transfer="t_2", want="stop"))
    await agent.until(lambda: ("t_2", 1, "stopped") in agent.reports)
    assert [copy.transfer for copy in agent.engine.copies] == ["t_1"]


async def test_what_is_no_longer_in_a_full_list_is_stopped(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(want(transfer="t_2"), full=False)
    await agent.until(lambda: agent.engine.running == 2)
    await agent.told(want(transfer="t_2"), full=True)
    await agent.until(lambda: ("t_1", 1, "stopped") in agent.reports)
    assert agent.engine.running == 1


async def test_a_new_attempt_stops_the_one_before_it(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    await agent.told(want(attempt=2, fence="f2"), full=False)
    await agent.until(lambda: ("t_1", 1, "stopped") in agent.reports)
    await agent.until(lambda: len(agent.engine.copies) == 2)


async def test_no_more_copies_run_at_once_than_there_are_slots(start):
    agent = await start(copies=2)
    orders = [want(transfer=f"t_{n}") for n in range(5)]
    await agent.told(*orders)
    await agent.until(lambda: agent.engine.running == 2)
    assert {copy.transfer for copy in agent.engine.copies} == {"t_0", "t_1"}
    agent.engine.finish("t_0")
    await agent.until(lambda: len(agent.engine.copies) == 3)
    assert agent.engine.running <= 2


async def test_copies_run_in_the_order_in_which_they_came(start):
    agent = await start(copies=1)
    names = [f"t_{number}" for number in range(5)]
    await agent.told(*(want(transfer=name) for name in names))
    for name in names:
        agent.engine.finish(name)
    await agent.until(lambda: len(agent.reports) == 10)
    assert [copy.transfer for copy in agent.engine.copies] == names


async def test_paths_and_flags_are_checked_again_on_the_machine(start):
    agent = await start()
    await agent.told(
        want(transfer="t_1", local="../etc"),
        want(transfer="t_2", flags=["--config=/etc/x"]),
        want(transfer="t_3", remote=":local:/etc"),
        want(transfer="t_4", instance="elsewhere"),
    )
    await agent.until(lambda: len(agent.reports) == 4)
    assert {kind for _, _, kind in agent.reports} == {"failed"}
    assert agent.engine.copies == []


async def test_the_connections_root_is_put_before_the_path(start):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    assert agent.engine.copies[0].remote.value == "bucket/run"


async def test_only_the_latest_numbers_of_a_copy_are_kept(start):
    agent = await start()
    outbox = agent.worker.bench.outbox
    for done in range(50):
        outbox.progress(
            ProgressNow(
                transfer="t_1",
                attempt=1,
                fence="f1",
                progress=Progress(phase=Phase.TRANSFERRING, bytes_copied=done),
            )
        )
    assert [each.progress.bytes_copied for each in outbox.take()] == [49]
    outbox.again()
    assert outbox.take() == []


async def test_credentials_are_neither_in_the_journal_nor_in_a_repr(start, tmp_path):
    agent = await start()
    await agent.told(ORDER)
    await agent.until(lambda: agent.engine.running == 1)
    agent.engine.finish("t_1")
    await agent.until(lambda: ("t_1", 1, "succeeded") in agent.reports)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("journal.db*"))
    assert b"SECRET" not in kept
    assert "SECRET" not in repr(agent.engine.copies)


async def test_a_list_in_several_messages_is_one_list(start):
    agent = await start(copies=3)
    await agent.told(ORDER, want(transfer="t_2"))
    await agent.until(lambda: agent.engine.running == 2)
    await agent.worker.hear(Desired(full=True, orders=[ORDER], more=True))
    await agent.worker.hear(Desired(full=True, orders=[want(transfer="t_2")]))
    await agent.worker.hear(Desired(full=True, orders=[ORDER], more=True))
    agent.worker.new_socket()  # the rest of that list is lost with its socket
    await agent.worker.hear(Desired(full=True, orders=[want(transfer="t_2")]))
    await agent.until(lambda: ("t_1", 1, "stopped") in agent.reports)
    assert agent.engine.running == 1
