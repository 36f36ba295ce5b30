"""What agents hear and say about the instances that were created on their machines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import structlog

from cloudcopy.control.instances import env_context
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.instance import ENDS, reported
from cloudcopy.domain.machine import ActualStatus, Intended, MachineId
from cloudcopy.domain.question import ANSWER_LIFE, MAX_ANSWER, PATIENCE, QuestionId
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.instances import WantedSeen
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire import agent as wire
from cloudcopy.wire.instances import Asked, WantedInstance
from cloudcopy.wire.parts import parts, size_bytes

log = structlog.get_logger()


async def desired(
    machine: MachineId, *, reads: Reads, vault: Vault, now: datetime
) -> Sequence[wire.DesiredInstances]:
    """Everything the machine should know of its created instances, in frames that fit.

    What cannot be sent is left out and logged: it must not keep the rest from the machine.
    """
    wanted = [
        _wanted(each, env)
        for each in await reads.wanted(machine)
        if (env := _env(each, vault)) is not None
    ]
    asked = [
        Asked(
            id=each.id,
            name=name,
            kind=each.kind.value,
            command=each.command,
            tail=each.tail,
            filter=each.filter,
            daemon=each.daemon,
        )
        for each, name in await reads.unanswered(machine, since=now - PATIENCE)
    ]
    return [
        *(wire.DesiredInstances(instances=part) for part in parts(filter(_sendable, wanted))),
        *(
            wire.DesiredInstances(instances=[], questions=part)
            for part in parts(filter(_sendable, asked))
        ),
    ]


def _sendable(each: WantedInstance | Asked) -> bool:
    try:
        size_bytes(each)
    except ValueError as error:
        log.error("a machine cannot be told", instance=each.name, reason=str(error))
        return False
    return True


def _env(seen: WantedSeen, vault: Vault) -> dict[str, str] | None:
    """None where it does not open: then the machine is not told of this instance."""
    if seen.sealed_env is None:
        return {}
    try:
        return vault.open(seen.sealed_env, context=env_context(seen.instance.name))
    except Unavailable as error:
        log.error("environment does not open", instance=seen.instance.id, reason=str(error))
        return None


def _wanted(seen: WantedSeen, env: dict[str, str]) -> WantedInstance:
    created = seen.instance.created
    if created is None:
        raise AssertionError("only created ones are wanted")
    return WantedInstance(
        name=created.name,
        id=seen.instance.id,
        want=_want(created.intended, seen),
        boot=created.boot,
        image=created.image,
        onstart=created.onstart,
        args=list(created.args),
        env=env,
        disk_gb=created.disk_gb,
        keys=list(seen.keys),
    )


def _want(intended: Intended, seen: WantedSeen) -> Literal["running", "stopped", "destroyed"]:
    """One that has ended stays stopped; one that is copied from is not pulled away."""
    if intended is Intended.DESTROYED:
        return "stopped" if seen.busy else "destroyed"
    if intended is Intended.STOPPED or seen.instance.actual_status in ENDS:
        return "stopped"
    return "running"


async def reported_now(
    told: wire.InstanceNow, *, machine: MachineId, open_store: OpenStore, now: Clock
) -> None:
    """Keep how an instance is. Saying it twice is the same as once."""
    try:
        status = ActualStatus(told.actual_status)
    except ValueError:
        status = ActualStatus.UNKNOWN
    async with open_store() as store:
        was = await store.instances.named(machine, told.name)
        if was is None or was.created is None:
            return
        if told.gone:
            if was.created.intended is Intended.DESTROYED:
                await store.instances.gone(was.id, at=now())
            return
        seen = reported(was, boot=told.boot, actual_status=status, text=told.text)
        if seen != was:
            await store.instances.save(seen)


async def forget(*, open_store: OpenStore, now: Clock) -> None:
    """Remove the answers that nobody can read any more."""
    async with open_store() as store:
        await store.instances.forget(before=now() - ANSWER_LIFE)


async def answered(
    told: wire.InstanceAnswer, *, machine: MachineId, open_store: OpenStore, now: Clock
) -> None:
    """Keep the answer to a question; only the first counts."""
    async with open_store() as store:
        await store.instances.answered(
            QuestionId(told.id), machine=machine, answer=told.text[:MAX_ANSWER], at=now()
        )
