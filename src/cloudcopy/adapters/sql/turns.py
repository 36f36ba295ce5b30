"""Whose turn is next, asked of the index that holds who has one and who waits.

Those that wait form lanes, one for each connection, instance and key. The index is sorted by
lane, so the oldest of each is one look into it: ten thousand that wait in one lane cost no
more than ten, and a connection that is full is passed over whole.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    bindparam,
    case,
    exists,
    func,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql.database import in_one
from cloudcopy.adapters.sql.tables import transfers
from cloudcopy.domain.machine import MAX_ID, AccountId, MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.transfer import State
from cloudcopy.domain.turns import Limits

_c: Final = transfers.c
HELD: Final = (
    select(_c.connection, _c.instance, _c.key, func.count().label("turns"))
    .where(_c.account == bindparam("account"), _c.admitted)
    .group_by(_c.state, _c.connection, _c.instance, _c.key)  # as the index is sorted
)
_HELD_IN_ONE: Final = in_one(HELD)
_GIVE: Final = (
    update(transfers).where(_c.id.in_(bindparam("given", expanding=True))).values(admitted=True)
)


def _oldest(waiting: FromClause, behind: ColumnElement[bool]) -> ScalarSelect[str]:
    c = waiting.c
    return (
        select(c.id)
        .where(
            c.account == bindparam("account"),
            ~c.admitted,
            c.state == State.QUEUED.value,
            behind,
        )
        .order_by(c.connection, c.instance, c.key, c.id)
        .limit(1)
        .scalar_subquery()
    )


def _heads() -> Select[Any]:
    """The oldest of each lane. Of a full connection, only that of its first lane."""
    first, last, next_ = (transfers.alias(name) for name in ("first_one", "last_one", "next_one"))
    full = last.c.connection.in_(bindparam("full", expanding=True))
    # SQLite goes into the index at what is equal and compares from there on: without the space,
    # which no key has, it would go through the whole of the last lane again.
    behind = tuple_(next_.c.connection, next_.c.instance, next_.c.key) > tuple_(
        last.c.connection, case((full, MAX_ID), else_=last.c.instance), last.c.key.concat(" ")
    )
    heads = select(_oldest(first, true()).label("id")).cte("heads", recursive=True)
    heads = heads.union_all(
        select(_oldest(next_, behind)).join_from(heads, last, last.c.id == heads.c.id)
    )
    seen = (_c.id, _c.connection, _c.instance, _c.key, _c.machine)
    return select(*seen, _more()).join_from(heads, transfers, _c.id == heads.c.id)


def _more() -> ColumnElement[bool]:
    """Whether somebody waits behind it in its lane: most lanes hold one, and each look is dear."""
    behind = transfers.alias("behind")
    b = behind.c
    return (
        exists()
        .where(
            b.account == _c.account,
            ~b.admitted,
            b.state == State.QUEUED.value,
            b.connection == _c.connection,
            b.instance == _c.instance,
            b.key == _c.key,
            b.id > _c.id,
        )
        .label("more")
    )


HEADS: Final = _heads()
_NEXT: Final = (
    select(_c.id, _c.connection, _c.instance, _c.key, _c.machine, _more())
    .where(
        _c.account == bindparam("account"),
        ~_c.admitted,
        _c.state == State.QUEUED.value,
        _c.connection == bindparam("connection"),
        _c.instance == bindparam("instance"),
        _c.key == bindparam("key"),
        _c.id > bindparam("given"),
    )
    .order_by(_c.id)
    .limit(1)
)


class Head(NamedTuple):
    """The oldest of a lane. They sort by age."""

    id: str
    connection: int
    instance: int
    key: str
    machine: int
    more: bool


class Room:
    """How many turns are held of each kind, and who waits for one more."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.keys = Counter[str]()
        self.connections = Counter[int]()
        self.instances = Counter[int]()
        self._waiting: defaultdict[str, list[Head]] = defaultdict(list)  # heaps, by key

    @property
    def left(self) -> int:
        return self._limits.account - self.keys.total()

    @property
    def full(self) -> list[int]:
        """The connections that have no room."""
        return [each for each, n in self.connections.items() if n >= self._limits.connection]

    def take(self, connection: int, instance: int, key: str, turns: int = 1) -> None:
        self.connections[connection] += turns
        self.instances[instance] += turns
        self.keys[key] += turns

    def wait(self, head: Head) -> None:
        heappush(self._waiting[head.key], head)

    def next(self) -> Head | None:
        """The oldest that fits, of the key that has the fewest turns; it waits no more."""
        for queue in self._waiting.values():
            while queue and not self._fits(queue[0]):
                heappop(queue)  # what is full stays full until somebody gives a turn back
        queues = [queue for queue in self._waiting.values() if queue]
        first = min(queues, key=lambda queue: (self.keys[queue[0].key], queue[0]), default=None)
        return heappop(first) if first else None

    def _fits(self, head: Head) -> bool:
        return (
            self.connections[head.connection] < self._limits.connection
            and self.instances[head.instance] < self._limits.instance
        )


async def give_turns(
    connection: AsyncConnection, account: AccountId, limits: Limits
) -> Mapping[TransferId, MachineId]:
    """See `ports.store.Transfers.turns`."""
    room = Room(limits)
    for held in await connection.scalar(_HELD_IN_ONE, {"account": account}):
        room.take(*held)
    if room.left <= 0:
        return {}
    for row in await connection.execute(HEADS, {"account": account, "full": room.full}):
        room.wait(Head(*row))
    given: list[Head] = []
    while room.left > 0 and (head := room.next()) is not None:
        given.append(head)
        room.take(head.connection, head.instance, head.key)
        if not head.more:
            continue
        lane = {"connection": head.connection, "instance": head.instance, "key": head.key}
        behind = {"account": account, "given": head.id, **lane}
        for row in await connection.execute(_NEXT, behind):
            room.wait(Head(*row))
    if given:
        await connection.execute(_GIVE, {"given": [head.id for head in given]})
    return {TransferId(head.id): MachineId(head.machine) for head in given}
