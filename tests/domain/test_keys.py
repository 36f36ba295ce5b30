"""The written form of API keys."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cloudcopy.domain.errors import Forbidden, Invalid, Unauthenticated
from cloudcopy.domain.keys import (
    EVERYTHING,
    Caller,
    KeyId,
    Rights,
    checked_expiry,
    expired_key,
    missing_key,
    parse,
    unknown_key,
    written,
)
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.permissions import Category, Permissions
from cloudcopy.domain.rates import Rate

ID, SECRET = KeyId("AbCdEf123456"), "s" * 43


def test_a_written_key_is_read_back():
    text = written(ID, SECRET)
    assert text.startswith("cck_AbCdEf123456_")
    assert parse(f" {text}\n") == (ID, SECRET)


@pytest.mark.parametrize("position", [4, 10, 20, 60, -1])
def test_a_mistyped_key_is_refused_without_asking_anyone(position: int):
    text = list(written(ID, SECRET))
    text[position] = "0" if text[position] != "0" else "1"
    with pytest.raises(Unauthenticated):
        parse("".join(text))


@pytest.mark.parametrize("text", ["", "cck_", "Bearer x", "cck_a_b_c", written(ID, SECRET) + "x"])
def test_what_is_no_key_gets_the_same_answer(text: str):
    with pytest.raises(Unauthenticated, match="unknown, revoked or mistyped"):
        parse(text)


NOW = datetime(2031, 1, 1, tzinfo=UTC)
READER = Permissions.of(["instance_read"])
LIMITED = Rights(permissions=READER, expires_at=NOW, rate=Rate(5, 50))


def test_a_key_of_everything_passes_on_whatever_is_wanted():
    for wanted in (EVERYTHING, LIMITED):
        assert EVERYTHING.pass_on(wanted) == wanted


def test_what_is_not_named_is_taken_over():
    assert LIMITED.pass_on(Rights(permissions=READER)) == LIMITED


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (EVERYTHING, "permissions that this key has not"),
        (Rights(permissions=Permissions.of(["instance_write"])), "permissions that this key"),
        (Rights(permissions=READER, expires_at=NOW + timedelta(seconds=1)), "outlive"),
        (Rights(permissions=READER, rate=Rate(6, 1)), "more often"),
        (Rights(permissions=READER, rate=Rate(1, 51)), "more often"),
    ],
)
def test_no_key_makes_a_stronger_one(wanted: Rights, words: str):
    with pytest.raises(Forbidden, match=words) as refused:
        LIMITED.pass_on(wanted)
    assert refused.value.code == "stronger_key"


def test_a_caller_asks_for_one_thing_and_gets_its_instances():
    rights = Rights(
        permissions=Permissions.parse(
            {"api": {"instance_read": {"constraints": {"id": {"lte": 5}}}}}
        )
    )
    caller = Caller(AccountId(1), ID, rights)
    asking = caller.asking(Category.INSTANCE_READ, "api.instance.show")
    asking.must_reach(5)
    with pytest.raises(Forbidden, match="instance 6: its permission is limited to the ids up to 5"):
        asking.must_reach(6)
    with pytest.raises(Forbidden, match=r"instance_write \(api.instance.copy\)") as refused:
        caller.asking(Category.INSTANCE_WRITE, "api.instance.copy")
    assert refused.value.code == "missing_permission"


def test_what_is_for_operators_takes_one():
    caller = Caller(AccountId(1), ID)
    with pytest.raises(Forbidden) as refused:
        caller.asking(Category.MACHINE_WRITE, operator=True)
    assert refused.value.code == "not_operator"
    operator = Caller(AccountId(1), ID, operator=True)
    assert operator.asking(Category.MACHINE_WRITE, operator=True).account == AccountId(1)


def test_an_expiry_must_lie_ahead_and_have_a_zone():
    assert checked_expiry(None, now=NOW) is None
    assert checked_expiry(NOW, now=NOW - timedelta(seconds=1)) == NOW
    for wrong in (NOW, NOW.replace(tzinfo=None) + timedelta(days=9)):
        with pytest.raises(Invalid, match="in the future"):
            checked_expiry(wrong, now=NOW)
    west = timezone(timedelta(hours=-1))
    shown = checked_expiry(NOW.astimezone(west), now=NOW - timedelta(days=1))
    assert shown is not None
    assert (shown, shown.tzinfo) == (NOW, UTC)
    with pytest.raises(Invalid, match="9999"):
        checked_expiry(datetime(9999, 12, 31, 23, 30, tzinfo=west), now=NOW)


def test_a_refusal_never_has_the_texts_that_make_the_public_client_delete_files():
    texts = [str(each) for each in (unknown_key(), missing_key(), expired_key(NOW))]
    assert len(set(texts)) == 3
    for forbidden in ("Invalid user key", "Session expired. Please log in again."):
        assert forbidden not in texts
