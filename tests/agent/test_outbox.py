"""What wakes the agent's sender, and what is said again on a new socket."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.progress import Phase, Progress
from cloudcopy.wire.agent import InstanceAnswer, Message, ProgressNow, Report, SourceRefused

HELD = Report(
    transfer="t_1", attempt=1, fence="f", kind="started", at=datetime(2026, 1, 1, tzinfo=UTC)
)
NUMBERS = ProgressNow(
    transfer="t_1", attempt=1, fence="f", progress=Progress(phase=Phase.PREPARING)
)
ANSWER = InstanceAnswer(id="q_1", text="a")
REFUSAL = SourceRefused(relay="r", reason="gone")
WAYS: dict[str, tuple[Callable[[Outbox], None], Message]] = {
    "held": (lambda outbox: outbox.hold(HELD), HELD),
    "numbers": (lambda outbox: outbox.progress(NUMBERS), NUMBERS),
    "latest": (lambda outbox: outbox.latest("q_1", ANSWER), ANSWER),
    "once": (lambda outbox: outbox.say(REFUSAL), REFUSAL),
}


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_is_to_be_said_wakes_the_sender(way: str):
    put, message = WAYS[way]
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    put(outbox)
    async with asyncio.timeout(5):
        await waiting
    assert outbox.take() == [message]
    assert outbox.take() == []


async def test_only_what_is_held_is_said_again_on_a_new_socket():
    outbox = Outbox()
    for put, _ in WAYS.values():
        put(outbox)
    assert len(outbox.take()) == len(WAYS)
    outbox.again()
    assert outbox.take() == [HELD]


async def test_of_what_is_about_the_same_only_the_latest_is_said():
    outbox = Outbox()
    outbox.latest("i", InstanceAnswer(id="q_1", text="old"))
    outbox.latest("i", InstanceAnswer(id="q_1", text="new"))
    assert outbox.take() == [InstanceAnswer(id="q_1", text="new")]
