"""What people do with instances that are created here.

As with transfers, the stored row is the command: a function here changes what is wanted and
rings the machine's doorbell after the commit. Its agent makes it so, and says how it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cloudcopy.control import stops
from cloudcopy.control.status import silent
from cloudcopy.domain import instance as rules
from cloudcopy.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloudcopy.domain.instance import NewInstance
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import (
    MAX_INSTANCES_PER_MACHINE,
    ActualStatus,
    Created,
    Instance,
    InstanceId,
    Intended,
    MachineId,
)
from cloudcopy.domain.offer import machine_of
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.domain.permissions import Category
from cloudcopy.domain.question import MAX_FILTER, MAX_TAIL, Command, Kind, Question, QuestionId
from cloudcopy.domain.ssh import SshKey, SshKeyId
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock, NewId
from cloudcopy.ports.store import OpenStore, Store
from cloudcopy.ports.vault import Vault

DOCKER: Final = "docker"
MAX_AT_ONCE: Final = 256  # instances in one request


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    vault: Vault
    bus: Bus
    now: Clock
    new_id: NewId


async def create(
    ask: int, new: NewInstance, *, caller: Caller, desk: Desk
) -> tuple[Instance, Sequence[SshKey]]:
    """An instance on the machine behind an offer; and the account's SSH keys, which it gets.

    Raises:
        NotFound: nothing of the caller's is offered under that id.
        Conflict: the machine is silent, or full.
        Invalid: a value breaks a rule, or the machine's runtime needs an image.
    """
    new = new.checked()
    machine = machine_of(ask)
    if machine is None:
        raise NotFound("offer", ask)
    name = f"~{desk.new_id()}"
    async with desk.open_store() as store:
        offer = await store.instances.offer(machine, account=caller.account)
        if silent(offer.machine.seen_at, now=desk.now):
            raise Conflict(
                f"The machine of offer {ask} is not connected.",
                code="machine_silent",
                next=("Choose another offer, or start its agent.",),
            )
        if offer.instances >= MAX_INSTANCES_PER_MACHINE:
            raise Conflict(
                f"There are {MAX_INSTANCES_PER_MACHINE} instances on the machine already.",
                code="machine_full",
                next=("Destroy one of them, or choose another offer.",),
            )
        if offer.hardware.runtime == DOCKER and not new.image:
            raise Invalid("image", "is missing", code="missing_image")
        created = Created(
            name=name,
            intended=Intended.RUNNING if new.running else Intended.STOPPED,
            image=new.image,
            onstart=new.onstart,
            args=new.args,
            disk_gb=new.disk_gb,
        )
        made = await store.instances.add(
            account=caller.account, machine=machine, label=new.label, created=created, at=desk.now()
        )
        caller.must_reach(made.id)
        if new.env:
            await store.instances.seal(made.id, desk.vault.seal(new.env, context=env_context(name)))
        keys = await store.ssh_keys.all(caller.account)
        await store.instances.attach(made.id, [each.id for each in keys])
    desk.bus.ring(machine)
    return made, keys


def env_context(name: str) -> str:
    """What an instance's environment is sealed for."""
    return f"environment of {name}"


async def start(ids: Sequence[InstanceId], *, caller: Caller, desk: Desk) -> None:
    """Want them running. All, or with an error none.

    Raises:
        NotFound: one is not the caller's.
        Conflict: one was announced, has ended for good, or is on a silent machine.
    """
    await _change(ids, rules.started, caller, desk, awake=True)


async def stop(ids: Sequence[InstanceId], *, caller: Caller, desk: Desk) -> None:
    """Want them stopped, with all they hold. Raises as `start`, but not for silence."""
    await _change(ids, rules.stopped, caller, desk)


async def reboot(id: InstanceId, *, caller: Caller, desk: Desk) -> None:
    """Stop and start it once. Raises as `start`, and Conflict for one that is stopped."""
    await _change([id], rules.rebooted, caller, desk, awake=True)


async def label(id: InstanceId, text: str, *, caller: Caller, desk: Desk) -> None:
    """Call it otherwise.

    Raises:
        NotFound, Conflict: as `start`, but not for an end or silence.
        Invalid: it is no label.
    """
    await _change([id], lambda each: rules.labelled(each, text), caller, desk)


async def destroy(ids: Sequence[InstanceId], *, caller: Caller, desk: Desk) -> None:
    """Want them gone. Their copies are stopped first. All, or with an error none.

    Raises:
        NotFound: one is not the caller's, or was destroyed before.
        Conflict: one was announced.
    """
    await _change(ids, rules.destroyed, caller, desk)


async def _change(
    ids: Sequence[InstanceId],
    rule: Callable[[Instance], Instance],
    caller: Caller,
    desk: Desk,
    *,
    awake: bool = False,
) -> None:
    if not 0 < len(ids) <= MAX_AT_ONCE:
        raise Invalid("ids", f"must be 1 to {MAX_AT_ONCE} instances")
    machines: dict[MachineId, None] = {}
    ended: list[TransferId] = []
    async with desk.open_store() as store:
        for id in dict.fromkeys(ids):
            was = await _of(caller, id, store)
            wanted = rule(was)
            if awake:
                await _check_awake(store, was, desk)
            if wanted != was:
                await store.instances.save(wanted)
                machines[was.machine] = None
            if wanted.created and wanted.created.intended is Intended.DESTROYED:
                ended += await stops.of_instance(store, id, at=desk.now(), works=frozenset(Work))
    for machine in machines:
        desk.bus.ring(machine)
    for transfer in ended:
        desk.bus.moved(transfer)


async def _check_awake(store: Store, instance: Instance, desk: Desk) -> None:
    machine = await store.machines.get(instance.machine)
    if silent(machine.seen_at, now=desk.now):
        raise Conflict(
            f"Instance {instance.id} is {ActualStatus.OFFLINE}: its machine is not connected.",
            code="machine_silent",
            next=("Wait for its machine, or destroy it and create another elsewhere.",),
        )


async def attach(id: InstanceId, public_key: str, *, caller: Caller, desk: Desk) -> SshKey:
    """Put a key into an instance; the account has it from then on. Idempotent.

    What the account has goes into every later instance. So a caller who may not change the
    account's keys can put in only those that it has.

    Raises:
        NotFound: the instance is not the caller's.
        Forbidden: the account has not this key, and the caller may not add it.
        Conflict: it was announced, or the account has too many keys.
    """
    async with desk.open_store() as store:
        instance = _ours(await _of(caller, id, store))
        known = await store.ssh_keys.all(caller.account)
        if all(each.public_key != public_key for each in known):
            _must_add_keys(caller)
        key = await store.ssh_keys.add(public_key, account=caller.account, at=desk.now())
        await store.instances.attach(id, [key.id])
    desk.bus.ring(instance.machine)
    return key


def _must_add_keys(caller: Caller) -> None:
    if caller.rights.permissions.allows(Category.USER_WRITE, "api.ssh_key.change"):
        return
    raise Forbidden(
        "The account does not have this SSH key, and this API key may not add it: it has not the "
        f"permission {Category.USER_WRITE} (api.ssh_key.change).",
        code="missing_permission",
        next=("Attach one that the account has, or add it first with a key that may.",),
    )


async def detach(id: InstanceId, key: SshKeyId, *, caller: Caller, desk: Desk) -> None:
    """Take a key out of an instance. Raises NotFound, and Conflict as `attach`."""
    async with desk.open_store() as store:
        instance = _ours(await _of(caller, id, store))
        await store.instances.detach(id, key)
    desk.bus.ring(instance.machine)


async def ask_logs(
    id: InstanceId,
    *,
    caller: Caller,
    desk: Desk,
    tail: int,
    filter: str = "",
    daemon: bool = False,
) -> Question:
    """Ask the machine for the end of an instance's log.

    Raises:
        NotFound: the instance is not the caller's.
        Conflict: it was announced, or its machine is silent and could not answer.
        Invalid: a number or a text out of bounds.
    """
    if not 1 <= tail <= MAX_TAIL:
        raise Invalid("tail", f"must be 1 to {MAX_TAIL} lines")
    if len(filter) > MAX_FILTER:
        raise Invalid("filter", f"must be at most {MAX_FILTER} characters")
    asked = Question(
        id=QuestionId(f"q_{desk.new_id()}"),
        account=caller.account,
        instance=id,
        kind=Kind.LOGS,
        asked_at=desk.now(),
        tail=tail,
        filter=filter,
        daemon=daemon,
    )
    return await _ask(asked, caller, desk)


async def ask_execute(id: InstanceId, command: str, *, caller: Caller, desk: Desk) -> Question:
    """Ask the machine to list, measure or remove files of an instance.

    A machine that dies over it may do it twice.

    Raises:
        NotFound, Conflict: as `ask_logs`.
        Invalid: the command is another, or leaves the instance.
    """
    Command.parse(command)
    asked = Question(
        id=QuestionId(f"q_{desk.new_id()}"),
        account=caller.account,
        instance=id,
        kind=Kind.EXECUTE,
        asked_at=desk.now(),
        command=command,
    )
    return await _ask(asked, caller, desk)


async def _ask(asked: Question, caller: Caller, desk: Desk) -> Question:
    async with desk.open_store() as store:
        instance = _ours(await _of(caller, asked.instance, store))
        await _check_awake(store, instance, desk)
        await store.instances.ask(asked, machine=instance.machine)
    desk.bus.ring(instance.machine)
    return asked


async def _of(caller: Caller, id: InstanceId, store: Store) -> Instance:
    """Raises NotFound; Forbidden where the caller's key is limited to other instances."""
    caller.must_reach(id)
    return await store.instances.get(id, account=caller.account)


def _ours(instance: Instance) -> Instance:
    """Raises Conflict for an announced one: its machine knows a directory, and nothing else."""
    if instance.created is None:
        raise Conflict(
            f"Instance {instance.id} is a directory that its machine announced; "
            "it has no log, no keys and runs no commands.",
            code="instance_announced",
            next=("Create an instance to have these.",),
        )
    return instance
