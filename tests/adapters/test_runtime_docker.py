"""Instances as containers: what is asked of the engine, and what its answers come to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudcopy.adapters.runtime.docker import DockerRuntime
from cloudcopy.adapters.runtime.engine import Engine
from cloudcopy.compose.runtime import chosen
from cloudcopy.compose.settings import AgentSettings
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import ActualStatus
from tests.contracts.docker_engine import FakeEngine, framed
from tests.contracts.runtimes import NAME, T0, Host, docker_host, spec

CONTAINER = f"cloudcopy-{NAME[1:]}"


@pytest.fixture
async def docked(tmp_path: Path) -> AsyncIterator[tuple[Host, FakeEngine]]:
    async with docker_host(tmp_path) as pair:
        yield pair


def engine_of(host: Host) -> Engine:
    assert isinstance(host.runtime, DockerRuntime)
    return host.runtime.engine


async def test_a_container_is_made_of_the_image_with_the_script_and_the_directory(docked):
    host, fake = docked
    wanted = spec("echo hi", env={"A": "b c"}, keys=["k"])
    await host.runtime.create(wanted)
    await host.runtime.start(wanted)
    body = fake.containers[CONTAINER].body
    root = await host.root()
    assert body["Image"] == "img"
    assert body["Entrypoint"][:2] == ["sh", "-c"]
    assert body["Entrypoint"][3:] == ["echo hi"]
    assert body["Env"] == ["CONTAINER_ID=101", "CONTAINER_LABEL=C.101", "A=b c"]
    assert body["Labels"] == {"cloudcopy.instance": NAME}
    assert body["HostConfig"] == {
        "Binds": [f"{root}/workspace:/workspace", f"{root}/.ssh:/root/.ssh"],
        "SecurityOpt": ["no-new-privileges"],
        "DeviceRequests": [],
    }
    assert (root / "workspace").is_dir()
    assert (root / ".ssh" / "authorized_keys").read_text() == "k\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"args": ("serve", "-p", "1")}, {"Cmd": ["serve", "-p", "1"]}),
        ({}, {"Entrypoint": ["tail", "-f", "/dev/null"], "Cmd": []}),
    ],
)
async def test_without_a_script_the_arguments_run_or_nothing_does(docked, changes, expected):
    host, fake = docked
    await host.runtime.create(spec(**changes))
    await host.runtime.start(spec(**changes))
    body = fake.containers[CONTAINER].body
    assert {name: body[name] for name in ("Entrypoint", "Cmd") if name in body} == expected


async def test_all_gpus_are_given_where_there_are_any(docked):
    host, fake = docked
    runtime = host.runtime
    runtime.gpus = True
    await runtime.create(spec())
    await runtime.start(spec())
    [request] = fake.containers[CONTAINER].body["HostConfig"]["DeviceRequests"]
    assert request == {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}


@pytest.mark.parametrize(
    ("image", "query"),
    [
        ("pytorch/pytorch", "fromImage=pytorch%2Fpytorch&tag=latest"),
        ("host:5000/a/b", "fromImage=host%3A5000%2Fa%2Fb&tag=latest"),
        ("alpine:3.20", "fromImage=alpine&tag=3.20"),
        ("a@sha256:00", "fromImage=a%40sha256%3A00"),
    ],
)
async def test_an_image_that_is_not_there_is_fetched_once(docked, image: str, query: str):
    host, fake = docked
    fake.registry = {image, f"{image}:latest"}
    for boot in (1, 2):
        await host.runtime.create(spec(image=image))
        await host.runtime.start(spec(image=image, boot=boot))
        await host.runtime.stop(NAME)
    assert [each for each in fake.seen if "images/create" in each] == [
        f"POST /images/create?{query}"
    ]
    assert "fetching" in await host.runtime.logs(NAME, tail=9, filter="", daemon=True)


async def test_an_image_that_nobody_has_is_said_so_and_leaves_it_stopped(docked):
    host, fake = docked
    await host.runtime.create(spec(image="nope"))
    with pytest.raises(Unavailable, match="cannot be fetched: manifest for nope:latest not found"):
        await host.runtime.start(spec(image="nope"))
    assert await host.standing() == (ActualStatus.STOPPED, 0)
    assert fake.containers == {}


@pytest.mark.parametrize(
    ("code", "more", "words"),
    [
        (3, {}, "the container ended with exit code 3"),
        (137, {"OOMKilled": True}, "the container ran out of memory"),
        (127, {"Error": "no sh"}, "the container ended with exit code 127: no sh"),
    ],
)
async def test_a_container_that_ends_by_itself_has_ended_for_good(docked, code, more, words):
    host, fake = docked
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    fake.containers[CONTAINER].end(code, **more)
    found = await host.runtime.status(NAME)
    assert (found.actual_status, found.text) == (ActualStatus.EXITED, words)
    fake.containers[CONTAINER].run()
    assert await host.again().status(NAME) == found


async def test_one_that_we_stopped_is_stopped_also_for_the_next_agent(docked):
    host, _ = docked
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    await host.runtime.stop(NAME)
    after = await host.again().status(NAME)
    assert (after.actual_status, after.boot) == (ActualStatus.STOPPED, 1)


async def test_a_container_outlives_its_agent(docked):
    host, _ = docked
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    await host.runtime.close()
    after = host.again()
    await after.recover()
    found = await after.status(NAME)
    assert (found.actual_status, found.boot) == (ActualStatus.RUNNING, 1)


async def test_a_paused_container_is_frozen(docked):
    host, fake = docked
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    fake.containers[CONTAINER].state["Paused"] = True
    assert (await host.standing())[0] is ActualStatus.FROZEN


async def test_its_log_comes_without_frames_and_filtered(docked):
    host, fake = docked
    await host.runtime.create(spec())
    assert await host.runtime.logs(NAME, tail=9, filter="", daemon=False) == ""
    await host.runtime.start(spec())
    log = framed("one\ntwo") + framed(" and a half\n") + framed("three\n", 2)
    fake.containers[CONTAINER].log = log
    assert await host.runtime.logs(NAME, tail=9, filter="", daemon=False) == (
        "one\ntwo and a half\nthree\n"
    )
    assert await host.runtime.logs(NAME, tail=1, filter="t", daemon=False) == "three\n"
    asked = [each for each in fake.seen if "/logs" in each]
    assert asked[1].endswith("?stdout=true&stderr=true&tail=9")
    assert asked[2].endswith("tail=10000")


async def test_an_engine_that_refuses_or_is_away_is_said_so(docked, tmp_path: Path):
    host, fake = docked
    await host.runtime.create(spec())
    fake.broken = (500, "disk full")
    for ask in (host.runtime.status, host.runtime.destroy):
        with pytest.raises(Unavailable, match="Docker refused: disk full"):
            await ask(NAME)
    assert not await engine_of(host).answers()
    away = DockerRuntime(tmp_path / "instances", Engine(tmp_path / "none.sock"), lambda: T0)
    with pytest.raises(Unavailable, match="Docker does not answer"):
        await away.status(NAME)


def settings(tmp_path: Path, runtime, socket: Path) -> AgentSettings:
    return AgentSettings(
        data_dir=tmp_path,
        server="http://127.0.0.1:9",
        name="host",
        instances={},
        runtime=runtime,
        allow_same_user=True,
        docker_socket=socket,
    )


async def test_docker_is_chosen_where_an_engine_answers(docked, tmp_path: Path):
    host, fake = docked
    there, away = engine_of(host)._socket, tmp_path / "none.sock"
    for runtime, socket, expected in (
        ("auto", there, "docker"),
        ("docker", there, "docker"),
        ("process", there, "process"),
        ("auto", away, "process"),
        ("none", there, None),
    ):
        found = await chosen(settings(tmp_path, runtime, socket), tmp_path)
        assert (found.name if found else None) == expected, (runtime, socket)
    with pytest.raises(Unavailable, match="No Docker engine answers"):
        await chosen(settings(tmp_path, "docker", away), tmp_path)
    assert "GET /_ping" in fake.seen
