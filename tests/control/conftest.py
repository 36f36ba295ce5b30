"""The use cases over a real store, with a clock that stands still."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from cloudcopy.adapters.bus.local import LocalBus
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.adapters.vault import FileVault
from cloudcopy.control import connections, machines, reports, transfers
from cloudcopy.domain.connection import Backend, NewConnection
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.order import Direction, Mode, Order, Verify, Work
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.transfer import Transfer
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.store import Store
from cloudcopy.wire import agent as wire
from tests.control.relays import Relays

CALLER = Caller(AccountId(1), KeyId("test"))
LIMITS = Limits(account=4, connection=4, instance=4)


@dataclass
class Probe:
    """A store that answers as told, and remembers what was swept."""

    trouble: Exception | None = None
    swept: list[tuple[str, datetime]] = field(default_factory=list)

    async def check(self, backend: Backend, root: RemotePath) -> None:
        if self.trouble:
            raise self.trouble

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        self.swept.append((below.value, since))
        return 1


@dataclass
class Plane:
    """Everything a use case needs, and one machine with one instance and one connection."""

    open_store: "partial[AbstractAsyncContextManager[Store]]"
    reads: SqlReads
    vault: FileVault
    bus: LocalBus
    probe: Probe
    time: datetime
    transfers: transfers.Desk
    connections: connections.Desk
    machines: machines.Desk
    machine: MachineId
    instance: InstanceId
    connection: int
    relays: Relays = field(default_factory=Relays)

    def now(self) -> datetime:
        return self.time

    def order(self, local: str = "data", remote: str = "bucket/run", **changes) -> Order:
        return Order(
            instance=changes.get("instance", self.instance),
            connection=changes.get("connection", self.connection),
            direction=changes.get("direction", Direction.TO_CLOUD),
            local=InstancePath.parse(local, field="src"),
            remote=RemotePath.parse(remote, field="dst"),
            flags=changes.get("flags", Flags()),
            work=changes.get("work", Work.TRANSFER),
            mode=changes.get("mode", Mode.COPY),
            verify=changes.get("verify", Verify.HASH),
        )

    async def connect(self, name: str) -> int:
        """One more connection, to the same store."""
        secrets = {"access_key_id": "A", "secret_access_key": "S"}
        new = NewConnection.parse(name, "s3", secrets)
        return (await connections.create(new, caller=CALLER, desk=self.connections)).id

    async def submit(self, **rest) -> Transfer:
        order = self.order(**{k: rest.pop(k) for k in ("local", "remote", "verify") if k in rest})
        return await transfers.submit(order, caller=CALLER, desk=self.transfers, **rest)

    async def read(self, transfer: Transfer) -> Transfer:
        return (await self.reads.transfer(transfer.id, account=None)).transfer

    async def report(self, transfer: Transfer, kind: str, /, **changes) -> Transfer | None:
        told = wire.Report(
            transfer=changes.get("transfer", transfer.id),
            attempt=changes.get("attempt", transfer.attempt),
            fence=changes.get("fence", transfer.fence),
            kind=kind,
            at=self.time + timedelta(days=400),  # hosts' clocks may be anywhere
            reason=changes.get("reason", ""),
            result=changes.get("result"),
        )
        return await reports.apply(
            told,
            machine=changes.get("machine", self.machine),
            open_store=self.open_store,
            bus=self.bus,
            now=self.now,
            limits=LIMITS,
        )


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    vault, bus, probe = FileVault(b"k" * 32), LocalBus(), Probe()
    time = datetime(2026, 1, 1, tzinfo=UTC)
    ids = count(1)
    async with open_database(tmp_path / "db") as database:
        opened = partial(open_store, database)
        made: list[Plane] = []

        def now() -> datetime:
            return made[0].time if made else time

        machine_desk = machines.Desk(opened, vault, bus, now, LIMITS)
        connection_desk = connections.Desk(opened, SqlReads(database), vault, probe, now)
        token, _ = await machines.invite(caller=CALLER, desk=machine_desk)
        machine = await machines.enrol(token, public_key=b"p" * 32, name="gpu-1", desk=machine_desk)
        told = wire.Announce(instances=[wire.AnnouncedInstance("box", "/srv/box", "running")])
        instances = await machines.announce(told, machine=machine.id, desk=machine_desk)
        secrets = {"access_key_id": "A", "secret_access_key": "S"}
        connection = await connections.create(
            NewConnection.parse("store", "s3", secrets), caller=CALLER, desk=connection_desk
        )
        made.append(
            Plane(
                open_store=opened,
                reads=SqlReads(database),
                vault=vault,
                bus=bus,
                probe=probe,
                time=time,
                transfers=transfers.Desk(
                    opened,
                    SqlReads(database),
                    bus,
                    now,
                    lambda: f"{next(ids):04}",
                    lambda: f"fence-{next(ids)}",
                    LIMITS,
                ),
                connections=connection_desk,
                machines=machine_desk,
                machine=machine.id,
                instance=InstanceId(instances["box"]),
                connection=connection.id,
            )
        )
        yield made[0]
