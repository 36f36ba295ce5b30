"""What every store promises about created instances, keys and questions; see `ports.instances`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain import instance as rules
from cloudcopy.domain.errors import Conflict, Destroyed, NotFound
from cloudcopy.domain.machine import ActualStatus, Announced, Created, Instance, Intended
from cloudcopy.domain.offer import Gpu, Hardware
from cloudcopy.domain.question import ANSWER_LIFE, MAX_OPEN, PATIENCE, Kind, Question, QuestionId
from cloudcopy.domain.ssh import MAX_KEYS, SshKeyId
from cloudcopy.domain.transfer import CancelRequested, Stopped, step
from cloudcopy.ports.instances import OfferSeen
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import Once, OpenStore, Store
from cloudcopy.ports.vault import Sealed
from tests.contracts.conftest import MINE, NOW, THEIRS, World

LATER = NOW + timedelta(minutes=5)
HARDWARE = Hardware(runtime="process", gpus=(Gpu("RTX 4090", 24564),) * 2, cpu_cores=8)
CREATED = Created(
    name="~a",
    intended=Intended.RUNNING,
    image="img",
    onstart="true",
    args=("a", "b"),
    disk_gb=1.5,
)
ENV = Sealed(key=b"key", box=b"box")


async def created(store: Store, world: World, name: str = "~a", label: str = "x") -> Instance:
    return await store.instances.add(
        account=world.account,
        machine=world.machine.id,
        label=label,
        created=replace(CREATED, name=name),
        at=NOW,
    )


async def test_what_is_created_is_read_back_and_two_may_have_one_label(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        one, two = await created(store, world), await created(store, world, "~b")
        assert await store.instances.get(one.id, account=MINE) == one
        assert await store.machines.instance(two.id, account=MINE) == two
        with pytest.raises(NotFound):
            await store.instances.get(one.id, account=THEIRS)
    assert (one.label, one.name, one.root, one.actual_status) == ("x", "~a", "", "loading")
    assert (one.created, one.created_at) == (CREATED, NOW)
    assert one.id < two.id
    listed = [each.instance for each in await reads.instances(MINE)]
    assert listed == [two, one, world.spare, world.box]


async def test_an_announcement_leaves_created_instances_alone(
    open_store: OpenStore, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world, label="box")
        told = [Announced("box", "/srv/other", ActualStatus.RUNNING)]
        await store.machines.announce(world.machine.id, told, at=LATER)
        assert await store.instances.get(made.id, account=MINE) == made


async def test_a_change_is_kept(open_store: OpenStore, world: World) -> None:
    async with open_store() as store:
        made = await created(store, world)
        changed = rules.labelled(rules.rebooted(made), "other")
        await store.instances.save(changed)
        assert await store.instances.get(made.id, account=MINE) == changed
        assert await store.instances.named(world.machine.id, "~a") == changed
        assert await store.instances.named(world.machine.id, "box") is None
        assert await store.instances.named(world.machine.id, "~z") is None


async def test_one_that_is_to_be_destroyed_is_found_by_nobody_but_its_machine(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world)
        await store.instances.seal(made.id, ENV)
        await store.instances.save(rules.destroyed(made))
        for asking in (store.instances.get, store.machines.instance):
            with pytest.raises(Destroyed):
                await asking(made.id, account=MINE)
    with pytest.raises(Destroyed) as refused:
        await reads.instance(made.id, account=MINE)
    assert refused.value.code == "instance_destroyed"
    assert made.id not in [each.instance.id for each in await reads.instances(MINE)]
    [wanted] = await reads.wanted(world.machine.id)
    assert (wanted.instance.id, wanted.sealed_env, wanted.busy) == (made.id, ENV, False)
    async with open_store() as store:
        await store.instances.gone(made.id, at=LATER)
        assert await store.instances.named(world.machine.id, "~a") is None
    assert await reads.wanted(world.machine.id) == []


async def test_a_live_copy_makes_an_instance_busy(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world)
        transfer = await store.transfers.add(world.transfer(instance=made), Once())
    assert [each.busy for each in await reads.wanted(world.machine.id)] == [True]
    [seen] = await reads.live(world.machine.id)
    assert (seen.instance_label, seen.instance_name) == ("x", "~a")
    asked = step(transfer, CancelRequested(LATER))
    ended = asked if asked.state.final else step(asked, Stopped(LATER, None))
    async with open_store() as store:
        await store.transfers.save(ended, was=transfer, at=LATER)
    assert [each.busy for each in await reads.wanted(world.machine.id)] == [False]


async def test_a_machine_offers_what_it_described_and_counts_what_is_on_it(
    open_store: OpenStore, reads: Reads, world: World, theirs: World
) -> None:
    machine = world.machine
    assert await reads.offers(MINE) == []
    async with open_store() as store:
        with pytest.raises(NotFound) as refused:
            await store.instances.offer(machine.id, account=MINE)
        await store.instances.describe(machine.id, HARDWARE)
        gone, _ = await created(store, world), await created(store, world, "~b")
        await store.instances.save(rules.destroyed(gone))
        expected = OfferSeen(machine=machine, hardware=HARDWARE, instances=1)
        assert await store.instances.offer(machine.id, account=MINE) == expected
        with pytest.raises(NotFound):
            await store.instances.offer(machine.id, account=THEIRS)
    assert refused.value.code == "no_such_offer"
    assert await reads.offers(MINE) == [expected]
    assert (await reads.instances(MINE))[0].hardware == HARDWARE
    async with open_store() as store:
        await store.instances.describe(machine.id, None)
    assert await reads.offers(MINE) == []


async def test_a_key_is_kept_once_changed_and_removed_by_its_account(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        key = await store.ssh_keys.add("k1", account=MINE, at=NOW)
        assert await store.ssh_keys.add("k1", account=MINE, at=LATER) == key
        other = await store.ssh_keys.add("k1", account=THEIRS, at=NOW)
        with pytest.raises(NotFound):
            await store.ssh_keys.change(other.id, "k2", account=MINE)
        with pytest.raises(NotFound) as refused:
            await store.ssh_keys.remove(other.id, account=MINE)
        changed = await store.ssh_keys.change(key.id, "k2", account=MINE)
        assert await store.ssh_keys.all(MINE) == [replace(key, public_key="k2")] == [changed]
    assert refused.value.code == "no_such_ssh_key"
    assert await reads.ssh_keys(MINE) == [changed]
    async with open_store() as store:
        await store.ssh_keys.remove(key.id, account=MINE)
        with pytest.raises(NotFound):
            await store.ssh_keys.remove(key.id, account=MINE)
    assert await reads.ssh_keys(MINE) == []


async def test_an_account_has_so_many_keys_and_no_more(open_store: OpenStore, world: World) -> None:
    async with open_store() as store:
        for number in range(MAX_KEYS):
            await store.ssh_keys.add(f"k{number}", account=MINE, at=NOW)
        with pytest.raises(Conflict) as refused:
            await store.ssh_keys.add("more", account=MINE, at=NOW)
    assert refused.value.code == "too_many_ssh_keys"


async def test_an_instance_keeps_a_key_that_was_removed_until_it_is_detached(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world)
        keys = [await store.ssh_keys.add(each, account=MINE, at=NOW) for each in ("k1", "k2")]
        await store.instances.attach(made.id, [each.id for each in keys])
        await store.instances.attach(made.id, [keys[0].id])
        await store.ssh_keys.remove(keys[0].id, account=MINE)
    assert [each.keys for each in await reads.wanted(world.machine.id)] == [["k1", "k2"]]
    assert await reads.keys_of(made.id) == keys
    async with open_store() as store:
        await store.instances.detach(made.id, keys[0].id)
        with pytest.raises(NotFound):
            await store.instances.detach(made.id, SshKeyId(99))
    assert await reads.keys_of(made.id) == keys[1:]


def question(instance: Instance, id: str = "q_1", **changes) -> Question:
    asked = Question(
        id=QuestionId(id),
        account=MINE,
        instance=instance.id,
        kind=Kind.LOGS,
        asked_at=NOW,
        tail=7,
        filter="x",
        daemon=True,
    )
    return replace(asked, **changes)


async def test_a_question_is_asked_until_its_machine_has_answered_and_then_stays_so(
    open_store: OpenStore, reads: Reads, world: World, theirs: World
) -> None:
    machine = world.machine.id
    async with open_store() as store:
        made = await created(store, world)
        asked = question(made)
        await store.instances.ask(asked, machine=machine)
    assert await reads.unanswered(machine, since=NOW) == [(asked, "~a")]
    assert await reads.unanswered(machine, since=LATER) == []
    assert await reads.unanswered(theirs.machine.id, since=NOW) == []
    async with open_store() as store:
        for by, answer in ((theirs.machine.id, "forged"), (machine, "one"), (machine, "two")):
            await store.instances.answered(asked.id, machine=by, answer=answer, at=LATER)
    assert await reads.unanswered(machine, since=NOW) == []
    assert await reads.question(asked.id) == replace(asked, answer="one", answered_at=LATER)


async def test_old_questions_are_forgotten_when_new_ones_come(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world)
        await store.instances.ask(question(made), machine=world.machine.id)
        after = NOW + ANSWER_LIFE + timedelta(seconds=1)
        new = question(made, "q_2", asked_at=after)
        await store.instances.ask(new, machine=world.machine.id)
    with pytest.raises(NotFound):
        await reads.question(QuestionId("q_1"))
    assert await reads.question(new.id) == new


async def test_answers_that_nobody_can_read_are_removed_when_told(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        made = await created(store, world)
        for number, at in enumerate((NOW, LATER)):
            asked = question(made, f"q_{number}", asked_at=at)
            await store.instances.ask(asked, machine=world.machine.id)
        await store.instances.forget(before=LATER)
    with pytest.raises(NotFound):
        await reads.question(QuestionId("q_0"))
    assert (await reads.question(QuestionId("q_1"))).asked_at == LATER


async def test_so_many_questions_of_an_instance_wait_for_answers_and_no_more(
    open_store: OpenStore, world: World
) -> None:
    machine = world.machine.id
    async with open_store() as store:
        made = await created(store, world)
        for number in range(MAX_OPEN):
            await store.instances.ask(question(made, f"q_{number}"), machine=machine)
        with pytest.raises(Conflict) as refused:
            await store.instances.ask(question(made, "q_more"), machine=machine)
        assert refused.value.code == "too_many_questions"
        await store.instances.answered(QuestionId("q_0"), machine=machine, answer="", at=NOW)
        await store.instances.ask(question(made, "q_more"), machine=machine)
        late = question(made, "q_late", asked_at=NOW + PATIENCE + timedelta(seconds=1))
        await store.instances.ask(late, machine=machine)
