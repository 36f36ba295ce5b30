"""The written form of API keys."""

import pytest

from cloudcopy.domain.errors import Unauthenticated
from cloudcopy.domain.keys import KeyId, parse, written

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
