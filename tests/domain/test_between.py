from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cloudcopy.domain import between
from cloudcopy.domain.connection import INSTANCE, Connection, ConnectionId, NewConnection
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.machine import AccountId, InstanceId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.paths import InstancePath, RemotePath

STANDING = Connection(
    id=ConnectionId(1001),
    account=AccountId(1),
    name=between.name(InstanceId(101)),
    cloud_type=INSTANCE,
    root="",
    shown=between.shown(InstanceId(101)),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def order(instance: int, local: str, remote: str, direction: Direction) -> Order:
    return Order(
        instance=InstanceId(instance),
        connection=STANDING.id,
        direction=direction,
        local=InstancePath(local),
        remote=RemotePath(remote),
        flags=Flags(),
    )


def test_it_stands_for_its_instance_by_options_and_by_name():
    assert between.source_of(STANDING) == 101
    assert between.source_named(STANDING.name, STANDING.cloud_type) == 101
    assert between.source_named("@101", "s3") is None


def test_no_caller_can_make_one_or_take_its_name():
    for name, kind in (("mine", INSTANCE), (STANDING.name, "s3")):
        with pytest.raises(Invalid):
            NewConnection.parse(name, kind, {"instance": "101"})


def test_only_the_source_itself_and_overlapping_places_matter():
    down, up = Direction.TO_INSTANCE, Direction.TO_CLOUD
    between.check(order(102, "a", "a", down), STANDING)
    between.check(order(101, "a", "ab", down), STANDING)
    with pytest.raises(Invalid, match="one holds the other"):
        between.check(order(101, "a/b", "a", down), STANDING)
    with pytest.raises(Conflict, match="never its destination"):
        between.check(order(102, "a", "b", up), STANDING)
    store = replace(STANDING, cloud_type="s3", shown={})
    between.check(order(101, "a", "a", up), store)
