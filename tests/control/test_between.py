"""Copies from one instance to another: who stands for the source, and how it is reached."""

from dataclasses import replace

import pytest

from cloudcopy.control import between, connections, machines, queries, reports, transfers
from cloudcopy.domain.errors import Conflict, Invalid, NotFound
from cloudcopy.domain.machine import InstanceId, MachineId
from cloudcopy.domain.order import Direction
from cloudcopy.domain.transfer import Transfer
from cloudcopy.wire import agent as wire
from tests.control.conftest import CALLER, Plane


@pytest.fixture
async def near(plane: Plane) -> InstanceId:
    """Another instance on the same machine."""
    told = [wire.AnnouncedInstance(each, f"/srv/{each}", "running") for each in ("box", "near")]
    known = await machines.announce(
        wire.Announce(instances=told), machine=plane.machine, desk=plane.machines
    )
    return InstanceId(known["near"])


@pytest.fixture
async def far(plane: Plane) -> tuple[MachineId, InstanceId]:
    """Another instance on another machine."""
    token, _ = await machines.invite(caller=CALLER, desk=plane.machines)
    machine = await machines.enrol(token, public_key=b"q" * 32, name="far", desk=plane.machines)
    told = wire.Announce(instances=[wire.AnnouncedInstance("far", "/srv/far", "running")])
    known = await machines.announce(told, machine=machine.id, desk=plane.machines)
    return machine.id, InstanceId(known["far"])


async def from_(plane: Plane, source: InstanceId, **changes) -> Transfer:
    """A copy from there into the plane's own instance."""
    standing = await between.standing_for(source, caller=CALLER, desk=plane.transfers)
    order = plane.order(
        **{"remote": "data", "local": "in", "direction": Direction.TO_INSTANCE} | changes,
        connection=standing,
    )
    return await transfers.submit(order, caller=CALLER, desk=plane.transfers)


async def grant(plane: Plane, transfer: Transfer) -> wire.BackendGranted | wire.BackendRefused:
    return await reports.grant(
        wire.NeedBackend(transfer=transfer.id, attempt=transfer.attempt, fence=transfer.fence),
        machine=plane.machine,
        reads=plane.reads,
        vault=plane.vault,
        relays=plane.relays,
    )


async def test_one_connection_stands_for_an_instance_and_is_nobodys(plane: Plane, near: InstanceId):
    first = await between.standing_for(near, caller=CALLER, desk=plane.transfers)
    assert await between.standing_for(near, caller=CALLER, desk=plane.transfers) == first
    desk = queries.Desk(plane.reads, plane.bus, plane.vault, plane.now)
    shown = await queries.connections(caller=CALLER, desk=desk)
    assert [each.id for each in shown] == [plane.connection]
    for reference in (first, f"@{near}"):
        with pytest.raises(NotFound):
            await queries.connection(reference, caller=CALLER, desk=desk)
    for use in (connections.remove, connections.test):
        with pytest.raises(NotFound):
            await use(first, caller=CALLER, desk=plane.connections)


async def test_an_instance_of_somebody_else_is_no_source(plane: Plane, near: InstanceId):
    with pytest.raises(NotFound):
        await between.standing_for(near, caller=replace(CALLER, account=2), desk=plane.transfers)


async def test_a_source_is_never_written_to_and_two_places_do_not_hold_one_another(
    plane: Plane, near: InstanceId
):
    with pytest.raises(Conflict, match="source of such a copy, never its destination"):
        await from_(plane, near, direction=Direction.TO_CLOUD)
    for local, remote in (("a", "a/b"), ("a/b", "a"), ("a", "a"), ("", "a"), ("a", "")):
        with pytest.raises(Invalid, match="one holds the other"):
            await from_(plane, plane.instance, local=local, remote=remote)
    assert (await from_(plane, plane.instance, local="a", remote="ab")).order.remote.value == "ab"
    assert (await from_(plane, near, local="a", remote="a")).order.remote.value == "a"


async def test_on_one_machine_it_goes_directly(plane: Plane, near: InstanceId):
    granted = await grant(plane, await from_(plane, near))
    assert isinstance(granted, wire.BackendGranted)
    assert (granted.backend, granted.root) == ("instance", "")
    assert granted.options == {"way": "direct", "instance": "near", "path": "data"}
    assert plane.relays.wanted == []


async def test_on_two_machines_it_goes_through_a_relay_of_this_attempt(
    plane: Plane, far: tuple[MachineId, InstanceId]
):
    transfer = await from_(plane, far[1])
    granted = await grant(plane, transfer)
    assert isinstance(granted, wire.BackendGranted)
    assert granted.options == {"way": "relay", "token": "TOKEN", "name": "it"}
    assert "TOKEN" not in repr(granted)
    (wanted,) = plane.relays.wanted
    assert (wanted.transfer, wanted.attempt, wanted.fence) == (transfer.id, 1, transfer.fence)
    assert (wanted.source, wanted.target) == (far[0], plane.machine)
    assert (wanted.label, wanted.path) == ("far", "data")


async def test_what_cannot_be_reached_is_refused_in_words(
    plane: Plane, far: tuple[MachineId, InstanceId]
):
    transfer = await from_(plane, far[1])
    plane.relays.trouble = "The source is away. Start its agent."
    refused = await grant(plane, transfer)
    assert isinstance(refused, wire.BackendRefused)
    assert refused.reason == "The source is away. Start its agent."
    plane.relays.old.add(plane.machine)
    refused = await grant(plane, transfer)
    assert isinstance(refused, wire.BackendRefused)
    assert "destination's machine is too old" in refused.reason
