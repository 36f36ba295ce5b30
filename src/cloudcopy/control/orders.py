"""What is true of an order before anything is done about it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from cloudcopy.domain import between, mirror
from cloudcopy.domain.connection import INSTANCE, Connection, ConnectionId
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import AccountId, Instance, InstanceId
from cloudcopy.domain.order import Direction, Mode, Order, Work
from cloudcopy.ports.store import Store


def check(order: Order) -> None:
    """Raises Invalid: it can never be carried out, whatever there is to copy."""
    if order.work is Work.TRANSFER and order.mode is Mode.MIRROR and order.agreed is None:
        raise Invalid(
            "mode",
            "a mirror deletes files, so it is made by carrying out a plan",
            code="mirror_needs_plan",
            next=(
                "Make one with POST /v1/plans and carry it out with POST /v1/plans/ID/apply.",
                "Or run: cloudcopy mirror SRC DST",
            ),
        )
    if order.mode is Mode.MIRROR:
        mirror.check(order.flags)
    if order.work is not Work.TRANSFER and order.flags.dry_run:
        raise Invalid("flags", f"--dry-run says nothing in a {order.work}: it changes nothing")


async def placed(order: Order, *, caller: Caller, store: Store) -> Instance:
    """The instance of the order; asserts that both sides are the caller's.

    Raises:
        Forbidden: the caller's key is limited to other instances.
        NotFound: the instance or the connection is not the caller's.
        Invalid: the path names no bucket where one is needed.
    """
    return await Places(store).of(order, caller=caller)


@dataclass
class Places:
    """The two sides of orders within one transaction, each looked up once for all of them."""

    store: Store
    instances: dict[tuple[AccountId, InstanceId], Instance] = field(default_factory=dict)
    connections: dict[tuple[AccountId, ConnectionId], Connection] = field(default_factory=dict)

    async def prepare(self, wanted: Iterable[tuple[Order, AccountId]]) -> None:
        """Look up the instances of several orders together; `of` refuses what is not found."""
        of_account: defaultdict[AccountId, set[InstanceId]] = defaultdict(set)
        for order, account in wanted:
            of_account[account].add(order.instance)
        for account, ids in of_account.items():
            for each in await self.store.machines.instances(ids, account=account):
                self.instances[account, each.id] = each

    async def of(self, order: Order, *, caller: Caller) -> Instance:
        """See `placed`."""
        caller.must_reach(order.instance)
        instance = await self._instance(order.instance, caller.account)
        connection = await self._connection(order.connection, caller.account)
        upload = order.direction is Direction.TO_CLOUD
        connection.place(order.remote, field="dst" if upload else "src")
        between.check(order, connection)
        if connection.cloud_type == INSTANCE:
            caller.must_reach(between.source_of(connection))
        return instance

    async def _instance(self, id: InstanceId, account: AccountId) -> Instance:
        key = account, id
        if key not in self.instances:
            self.instances[key] = await self.store.machines.instance(id, account=account)
        return self.instances[key]

    async def _connection(self, id: ConnectionId, account: AccountId) -> Connection:
        key = account, id
        if key not in self.connections:
            self.connections[key] = await self.store.connections.get(id, account=account)
        return self.connections[key]


def digest(order: Order, bwlimit: str) -> str:
    """Equal for equal orders, whatever spelling they came in."""
    parts = [
        int(order.instance),
        int(order.connection),
        order.direction.value,
        order.local.value,
        order.remote.value,
        order.flags.words(),
        order.work.value,
        order.mode.value,
        order.verify.value,
        order.agreed.plan if order.agreed else "",
        bwlimit,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
