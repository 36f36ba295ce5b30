"""What an operator chooses is checked before anything is built."""

import os
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest

from cloudcopy.compose import commands, runtime
from cloudcopy.compose.settings import MOST_AT_ONCE, AgentSettings, address, limits, rate
from cloudcopy.domain.errors import Invalid, Unavailable
from cloudcopy.domain.rates import Rate
from cloudcopy.domain.turns import Limits


def test_limits_are_taken_as_given():
    assert limits(account=1, connection=2, instance=MOST_AT_ONCE) == Limits(
        account=1, connection=2, instance=MOST_AT_ONCE
    )


@pytest.mark.parametrize("kind", ["account", "connection", "instance"])
@pytest.mark.parametrize("value", [0, -1, MOST_AT_ONCE + 1])
def test_a_limit_that_lets_nothing_run_is_refused_by_its_option(kind: str, value: int):
    with pytest.raises(Invalid, match=f"--max-per-{kind}: must be 1 to"):
        limits(**{"account": 1, "connection": 1, "instance": 1} | {kind: value})


def test_a_rate_of_nothing_is_no_limit():
    assert rate(0, None) is None
    assert rate(100.0, None) == Rate(100.0, 1000)
    assert rate(100.0, 5) == Rate(100.0, 5)


@pytest.mark.parametrize(
    ("per_second", "burst", "option"), [(-1, None, "--rate"), (1, 0, "--burst"), (0, 5, "--burst")]
)
def test_a_rate_out_of_bounds_is_refused_by_its_option(
    per_second: float, burst: int | None, option: str
):
    with pytest.raises(Invalid, match=f"^{option}: "):
        rate(per_second, burst)


@pytest.mark.parametrize(
    ("listen", "found"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:8420", ("::1", 8420)), ("box:1", ("box", 1))],
)
def test_an_address_is_a_host_and_a_port(listen: str, found: tuple[str, int]):
    assert address(listen) == found


@pytest.mark.parametrize("listen", ["8420", ":8420", "box:", "box:65536", "box:-1", "box:1\u00b2"])
def test_another_form_of_address_is_refused(listen: str):
    with pytest.raises(Invalid, match="must be HOST:PORT"):
        address(listen)


async def test_running_programs_on_a_machine_that_joins_must_be_asked_for(tmp_path: Path):
    told = AgentSettings(data_dir=tmp_path, server="http://x.test", name="gpu", instances={})
    assert await runtime.chosen(told, tmp_path) is None
    defaults = {
        each: signature(command).parameters["runtime"].default
        for each, command in (("up", commands.up), ("agent", commands.agent))
    }
    assert defaults == {"up": "auto", "agent": "none"}


async def test_instances_share_the_agents_user_only_by_the_operators_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    asked = AgentSettings(
        data_dir=tmp_path,
        server="http://x.test",
        name="gpu",
        instances={},
        runtime="process",
        docker_socket=tmp_path / "none.sock",
    )
    with pytest.raises(Unavailable, match="this agent's own user") as refused:
        await runtime.chosen(asked, tmp_path)
    assert "--allow-same-user" in refused.value.next[0]
    assert await runtime.chosen(replace(asked, runtime="auto"), tmp_path) is None
    allowed = await runtime.chosen(replace(asked, allow_same_user=True), tmp_path)
    assert allowed is not None
    assert allowed.name == "process"


@pytest.mark.parametrize("files", [0, -1, 129])
def test_files_in_flight_have_bounds(files: int) -> None:
    with pytest.raises(Invalid, match="--max-concurrency"):
        commands.concurrency(files)
    assert commands.concurrency(128) == 128
