"""How an attempt ends, over the socket: its ledger, our own look at the store, its report."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import StoreUnreachable
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.progress import Phase, Progress, Recheck, Result
from cloudcopy.ports.engine import Claim, Finding
from cloudcopy.wire import agent as wire
from tests.http.conftest import Plane
from tests.http.shipped import ROWS, packed
from tests.http.test_agents import hear, hear_kind, logged_in


@dataclass
class Looking:
    """A probe that waits until it is let go, and answers as told."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: list[Exception] = field(default_factory=list)
    times: int = 0
    expected: list[Claim] = field(default_factory=list)
    dismissed: list[str] = field(default_factory=list)

    async def check(self, backend: Backend, root: RemotePath) -> None: ...

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        return 0

    def expect(self, claim: Claim) -> None:
        self.expected.append(claim)

    def dismiss(self, attempt: str) -> None:
        self.dismissed.append(attempt)

    async def recheck(self, claim: Claim, rows: AsyncIterator[FileRow]) -> Finding:
        self.times += 1
        self.asked.set()
        await self.go.wait()
        if self.trouble:
            raise self.trouble.pop()
        return Finding(Recheck(files=len([each async for each in rows])))


@pytest.fixture
def probe() -> Looking:
    return Looking()


@pytest.fixture
async def address(plane: Plane, probe: Looking, tmp_path) -> AsyncIterator[str]:
    settings = ServerSettings(data_dir=tmp_path, host="127.0.0.1", port=0)
    bound = server.listening(settings)
    stop = asyncio.Event()
    found = replace(plane.services, probe=probe)
    serving = asyncio.create_task(server.serve(found, bound, stop=stop))
    yield server.local_url(bound, settings).replace("http", "ws") + "/v1/agent"
    stop.set()
    await serving


def chunk(order: wire.Order, data: bytes, number: int = 0, **lies) -> bytes:
    return wire.pack(
        wire.LedgerChunk(
            transfer=order.transfer,
            attempt=order.attempt,
            fence=lies.get("fence", order.fence),
            number=number,
            data=data,
        )
    )


def success(plane: Plane, order: wire.Order, **changes) -> bytes:
    said = {"result": Result(found=3, copied=2, unchanged=1), "chunks": 1} | changes
    return wire.pack(
        wire.Report(
            transfer=order.transfer,
            attempt=order.attempt,
            fence=order.fence,
            kind=said.pop("kind", "succeeded"),
            at=plane.services.now(),
            **said,
        )
    )


async def shown(plane: Plane, order: wire.Order) -> dict:
    return (await plane.ask("GET", f"/v1/transfers/{order.transfer}")).json()


ARRIVED = [row for row in ROWS if row.outcome.arrived]


async def test_an_end_comes_after_its_ledger_and_our_own_look(
    plane: Plane, probe: Looking, address: str
):
    await plane.submitted()
    probe.go.set()
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        for fence in ("stale", order.fence, order.fence):
            await socket.send(chunk(order, packed(ARRIVED), fence=fence))
            ack = await hear_kind(socket, wire.LedgerAck)
            assert (ack.transfer, ack.attempt, ack.number) == (order.transfer, 1, 0)
        await socket.send(success(plane, order))
        await hear_kind(socket, wire.Ack)
    after = await shown(plane, order)
    assert (after["state"], after["result"]["recheck"]["files"]) == ("succeeded", 3)
    assert after["result"]["digests"]["leaves"] == 3
    lines = (await plane.ask("GET", f"/v1/transfers/{order.transfer}/files")).text.splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize("data", [None, b"rubbish"])
async def test_a_success_without_its_ledger_is_a_failure(
    plane: Plane, probe: Looking, address: str, data: bytes | None
):
    await plane.submitted()
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        if data:
            await socket.send(chunk(order, data))
            await hear_kind(socket, wire.LedgerAck)
        await socket.send(success(plane, order, chunks=1 if data else 0))
        await hear_kind(socket, wire.Ack)
    after = await shown(plane, order)
    assert (after["state"], probe.times) == ("failed", 0)
    assert "sent no ledger" in after["reason"]


async def test_a_slow_look_is_shared_by_repeated_reports_and_blocks_nothing_else(
    plane: Plane, probe: Looking, address: str
):
    await plane.submitted()
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        await socket.send(chunk(order, packed(ARRIVED)))
        await hear_kind(socket, wire.LedgerAck)
        for _ in range(5):
            await socket.send(success(plane, order))
        await probe.asked.wait()
        wanted = wire.NeedBackend(transfer=order.transfer, attempt=order.attempt, fence=order.fence)
        await socket.send(wire.pack(wanted))
        assert isinstance(await hear(socket), wire.BackendGranted)
        assert (await shown(plane, order))["state"] == "queued"
        probe.go.set()
        await hear_kind(socket, wire.Ack)
    assert ((await shown(plane, order))["state"], probe.times) == ("succeeded", 1)


async def test_a_store_that_cannot_be_listed_leaves_the_report_to_be_said_again(
    plane: Plane, probe: Looking, address: str
):
    await plane.submitted()
    probe.trouble = [StoreUnreachable("nobody answers", code="network")]
    probe.go.set()
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        await socket.send(chunk(order, packed(ARRIVED)))
        await hear_kind(socket, wire.LedgerAck)
        await socket.send(success(plane, order))
        await probe.asked.wait()
        asking = wire.NeedNames(transfer=order.transfer, attempt=1, fence=order.fence)
        while probe.trouble or plane.services.misses == {}:
            await socket.send(wire.pack(asking))  # answered: the socket lives
            await hear_kind(socket, wire.Names)
        assert (await shown(plane, order))["state"] == "queued"
        await socket.send(success(plane, order))
        await hear_kind(socket, wire.Ack)
    assert ((await shown(plane, order))["state"], probe.times) == ("succeeded", 2)


async def test_the_next_attempt_is_told_the_names_that_failed(
    plane: Plane, probe: Looking, address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "MAX_NAMES", 2)
    id = await plane.submitted()
    failed = [FileRow(name, Outcome.FAILED) for name in ("a", "b", "c")]
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        await socket.send(chunk(order, packed(failed)))
        await hear_kind(socket, wire.LedgerAck)
        all_failed = Result(found=3, failed=3)
        await socket.send(success(plane, order, kind="failed", reason="x", result=all_failed))
        await hear_kind(socket, wire.Ack)
        retried = await plane.ask("POST", f"/v1/transfers/{id}/retry", {"only": "failed"})
        assert retried.status_code == 202, retried.text
        again = (await hear_kind(socket, wire.Desired)).orders[0]
        assert (again.attempt, again.scope) == (2, "failed")
        pages = []
        for after in (0, 2):
            asking = wire.NeedNames(transfer=id, attempt=2, fence=again.fence, after=after)
            await socket.send(wire.pack(asking))
            pages.append(await hear_kind(socket, wire.Names))
    assert [(page.names, page.more) for page in pages] == [(["a", "b"], True), (["c"], False)]


async def test_a_changed_bandwidth_limit_is_told_and_a_paused_transfer_is_not(
    plane: Plane, address: str
):
    id = await plane.submitted()
    async with logged_in(plane, address) as socket:
        assert (await hear_kind(socket, wire.Desired)).orders[0].bwlimit == ""
        answer = await plane.ask("PATCH", f"/v1/transfers/{id}", {"bwlimit": "10M"})
        assert answer.status_code == 200, answer.text
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        assert order.bwlimit == "10M"
        await plane.ask("POST", f"/v1/transfers/{id}/pause")
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        assert order.want == "stop"
        await socket.send(success(plane, order, kind="stopped", chunks=0, result=None))
        await hear_kind(socket, wire.Ack)
    async with logged_in(plane, address) as socket:
        assert (await hear_kind(socket, wire.Desired)).orders == []


async def test_a_sweep_that_cannot_be_tried_does_not_keep_a_transfer_from_its_end(
    plane: Plane, address: str
):
    parameters = {
        "endpoint": "http://a_name_that_boto_refuses:9",
        "access_key_id": "a",
        "secret_access_key": "b",
    }
    body = {"name": "odd", "cloud_type": "s3", "parameters": parameters}
    await plane.ask("POST", "/v1/connections?test=false", body)
    made = (await plane.ask("POST", "/v1/transfers", plane.native(connection="odd"))).json()
    async with logged_in(plane, address) as socket:
        order = (await hear_kind(socket, wire.Desired)).orders[0]
        report = wire.Report(
            transfer=made["id"],
            attempt=1,
            fence=order.fence,
            kind="failed",
            at=plane.services.now(),
            reason="x",
            result=Result(interrupted=True),
        )
        await socket.send(wire.pack(report))
        await hear_kind(socket, wire.Ack)
    state = (await plane.ask("GET", f"/v1/transfers/{made['id']}")).json()["state"]
    assert state == "failed"


async def test_a_look_is_expected_when_a_copy_starts_and_when_it_verifies_and_then_dismissed(
    plane: Plane, probe: Looking, address: str
):
    await plane.submitted()
    async with logged_in(plane, address) as socket:
        (order,) = (await hear_kind(socket, wire.Desired)).orders
        await socket.send(success(plane, order, kind="started", result=None, chunks=0))
        await hear_kind(socket, wire.Ack)
        for phase in (Phase.TRANSFERRING, Phase.VERIFYING, Phase.VERIFYING):
            told = wire.ProgressNow(
                transfer=order.transfer,
                attempt=order.attempt,
                fence=order.fence,
                progress=Progress(phase=phase),
            )
            await socket.send(wire.pack(told))
        await socket.send(success(plane, order, kind="failed", reason="x", chunks=0))
        await hear_kind(socket, wire.Ack)
    named = {claim.attempt for claim in probe.expected}
    assert len(probe.expected) == 2
    assert named == {f"{order.transfer} {order.fence}"} == set(probe.dismissed)
