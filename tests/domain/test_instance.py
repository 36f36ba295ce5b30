"""What may be asked of a created instance, and what a report of its machine changes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cloudcopy.domain import instance as rules
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.instance import ENDS, MAX_ONSTART, NewInstance
from cloudcopy.domain.machine import (
    AccountId,
    ActualStatus,
    Created,
    Instance,
    InstanceId,
    Intended,
    MachineId,
)

ANNOUNCED = Instance(
    id=InstanceId(101),
    account=AccountId(1),
    machine=MachineId(1),
    label="box",
    root="/srv/box",
    actual_status=ActualStatus.RUNNING,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
RUNNING = replace(
    ANNOUNCED, created=Created(name="~a", intended=Intended.RUNNING, boot=3, text="up")
)
STOPPED = rules.stopped(replace(RUNNING, actual_status=ActualStatus.STOPPED))
CHANGES = (rules.started, rules.stopped, rules.rebooted)


def facts(instance: Instance) -> tuple[object, ...]:
    created = instance.created
    assert created
    return created.intended, created.boot, instance.actual_status, created.text


def test_starting_a_stopped_one_is_a_new_boot_and_starting_a_running_one_is_nothing():
    assert facts(rules.started(STOPPED)) == (Intended.RUNNING, 4, ActualStatus.LOADING, "")
    assert rules.started(RUNNING) is RUNNING


def test_stopping_keeps_the_status_until_the_machine_says_otherwise():
    stopped = rules.stopped(RUNNING)
    assert facts(stopped) == (Intended.STOPPED, 3, ActualStatus.RUNNING, "up")
    assert rules.stopped(stopped) == stopped


def test_a_reboot_is_a_new_boot_of_what_is_wanted_running():
    assert facts(rules.rebooted(RUNNING)) == (Intended.RUNNING, 4, ActualStatus.REBOOTING, "")
    with pytest.raises(Conflict) as refused:
        rules.rebooted(STOPPED)
    assert refused.value.code == "instance_stopped"


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_but_destroying_leads_out_of_an_end(end: ActualStatus, change):
    ended = replace(RUNNING, actual_status=end)
    with pytest.raises(Conflict) as refused:
        change(ended)
    assert refused.value.code == "instance_ended"
    assert "destroy it" in refused.value.next[0]
    told = rules.reported(ended, boot=3, actual_status=ActualStatus.RUNNING, text="")
    assert told is ended
    assert facts(rules.destroyed(ended))[0] is Intended.DESTROYED


def test_the_ends_are_those_of_the_compatible_api():
    assert {"exited", "unknown", "offline"} == ENDS


@pytest.mark.parametrize("change", [*CHANGES, rules.destroyed])
def test_one_that_its_machine_announced_is_not_ours_to_change(change):
    with pytest.raises(Conflict) as refused:
        change(ANNOUNCED)
    assert refused.value.code == "instance_announced"
    with pytest.raises(Conflict):
        rules.labelled(ANNOUNCED, "x")


def test_a_report_counts_for_its_own_boot_only():
    asked = rules.rebooted(RUNNING)
    old = rules.reported(asked, boot=3, actual_status=ActualStatus.RUNNING, text="old")
    assert old is asked
    new = rules.reported(asked, boot=4, actual_status=ActualStatus.RUNNING, text="new")
    assert facts(new) == (Intended.RUNNING, 4, ActualStatus.RUNNING, "new")
    assert rules.reported(new, boot=4, actual_status=ActualStatus.RUNNING, text="new") == new


def test_a_report_changes_nothing_about_an_announced_one_and_its_text_is_bounded():
    told = rules.reported(ANNOUNCED, boot=0, actual_status=ActualStatus.EXITED, text="x")
    assert told is ANNOUNCED
    long = rules.reported(RUNNING, boot=3, actual_status=ActualStatus.RUNNING, text="x" * 9999)
    assert len(str(facts(long)[3])) == rules.MAX_TEXT


def test_a_label_may_be_anything_but_an_id():
    assert rules.labelled(RUNNING, "my box, ünï").label == "my box, ünï"
    assert rules.labelled(RUNNING, "").label == ""
    for bad in ("123", "a\nb", "x" * 121):
        with pytest.raises(Invalid):
            rules.labelled(RUNNING, bad)


def test_an_onstart_of_4048_characters_passes_and_one_more_is_refused_with_both_numbers():
    assert MAX_ONSTART == 4048
    assert NewInstance(onstart="ü" * 4048).checked().onstart == "ü" * 4048
    with pytest.raises(Invalid) as refused:
        NewInstance(onstart="ü" * 4049).checked()
    assert refused.value.code == "onstart_too_long"
    assert "4049" in str(refused.value)
    assert "4048" in str(refused.value)
    assert "gzip" in refused.value.next[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("onstart", "a\0b"),
        ("onstart", "\ud800"),
        ("image", "a\nb"),
        ("disk_gb", -1.0),
        ("disk_gb", float("nan")),
        ("args", ("x" * 4097,)),
        ("args", ("x" * 4096,) * 4 + ("x",)),
        ("args", ("\ud800",)),
        ("args", ("a\0",)),
        ("env", {"A": "\udfff"}),
        ("env", {"\ud800": "a"}),
        ("env", {"": "x"}),
        ("env", {"A=B": "x"}),
        ("env", {"A": "x" * 20_000}),
        ("label", "1"),
    ],
)
def test_what_cannot_be_made_is_refused(field: str, value: object):
    with pytest.raises(Invalid):
        NewInstance(**{field: value}).checked()


def test_an_environment_is_not_shown():
    assert "SECRET" not in repr(NewInstance(env={"TOKEN": "SECRET"}))
