"""`cloudcopy instance create` and what can be done with one, and `cloudcopy ssh-key`."""

from pathlib import Path

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine, Typing
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem
from tests.sdk.test_instances import OFFER

RUNNING = views.instance(created=True, intended_status="running", status_msg="up")
EXITED = RUNNING.model_copy(update={"actual_status": "exited", "status_msg": "exit code 3"})


@pytest.fixture
def made(server: Scripted) -> Scripted:
    server.on("GET", "/v1/offers", ok(v1.OfferPage(data=[OFFER])))
    server.on("POST", "/v1/instances", ok(RUNNING, 201))
    server.on("GET", "/v1/instances/7", ok(RUNNING))
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=[RUNNING])))
    return server


def test_the_id_of_a_new_instance_is_all_there_is_on_stdout(
    made: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    script = tmp_path / "onstart.sh"
    script.write_text("echo hi\n")
    cli.environ["TOKEN"] = "SECRET"

    words = ("--label", "mine", "--onstart", str(script), "--env", "A=b", "--secret-env", "TOKEN")
    ran = cli("instance", "create", *words)

    assert (ran.code, ran.out) == (exits.DONE, "7\n")
    assert "running: up" in ran.err
    assert "SECRET" not in ran.out + ran.err
    [body] = made.bodies("POST", "/v1/instances")
    assert isinstance(body, dict)
    assert (body["offer"], body["label"], body["onstart"]) == (OFFER.id, "mine", "echo hi\n")
    assert body["env"] == {"A": "b", "TOKEN": "SECRET"}
    assert cli("instance", "create", "--json").json_lines() == [RUNNING.model_dump(mode="json")]


def test_one_that_ends_at_once_is_a_failure(made: Scripted, cli: CommandLine) -> None:
    made.on("GET", "/v1/instances/7", ok(EXITED))

    ran = cli("instance", "create", "--offer", "10000003")

    assert (ran.code, ran.out) == (exits.FAILED, "7\n")
    assert "exited: exit code 3" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--env", "A"), "NAME=VALUE"),
        (("--secret-env", "NOPE"), "no such variable"),
        (("--onstart", "/nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_be_created_is_refused_before_it_is_asked_for(
    made: Scripted, cli: CommandLine, words: tuple[str, ...], told: str
) -> None:
    ran = cli("instance", "create", *words)

    assert ran.code == exits.USAGE
    assert told in ran.err
    assert made.bodies("POST", "/v1/instances") == []


def test_among_several_offers_one_must_be_named(made: Scripted, cli: CommandLine) -> None:
    made.on("GET", "/v1/offers", ok(v1.OfferPage(data=[OFFER, OFFER])))

    ran = cli("instance", "create")

    assert ran.code == exits.USAGE
    assert "There are 2 offers" in ran.err
    assert cli("instance", "offers").out.startswith("10000003\tbox\tprocess\t0\t")


def test_one_is_changed_by_its_label(made: Scripted, cli: CommandLine) -> None:
    for what in ("start", "stop", "reboot"):
        made.on("POST", f"/v1/instances/7/{what}", ok(RUNNING, 202))
        assert cli("instance", what, "here").code == exits.DONE
    made.on("PATCH", "/v1/instances/7", ok(RUNNING.model_copy(update={"label": "x"})))
    assert cli("instance", "label", "here", "x").out == "id     7\nlabel  x\n"
    made.on("POST", "/v1/instances/7/start", problem(409, "instance_ended", "It has ended."))
    assert cli("instance", "start", "7").code == exits.FAILED


def test_destroying_wants_a_word_for_it(made: Scripted, cli: CommandLine, typing: Typing) -> None:
    made.on("DELETE", "/v1/instances/7", Answer(204))

    assert cli("instance", "destroy", "here").code == exits.USAGE
    no = typing("instance", "destroy", "here", keys="n\n")
    assert no.code == exits.CANCELLED
    assert "Destroy instance 7 (here) and all it holds?" in no.err
    assert [each for each in made.seen if each.method == "DELETE"] == []
    assert typing("instance", "destroy", "here", keys="y\n").code == exits.DONE
    assert cli("instance", "destroy", "here", "--yes").code == exits.DONE
    assert len([each for each in made.seen if each.method == "DELETE"]) == 2


def test_logs_and_commands_are_printed_as_they_are(made: Scripted, cli: CommandLine) -> None:
    told = v1.AnswerView(id="q_1", instance=7, text="a\tb\n")
    made.on("POST", "/v1/instances/7/logs", ok(told, 202))
    made.on("POST", "/v1/instances/7/execute", ok(told, 202))
    made.on("GET", "/v1/instances/7/answers/q_1", ok(told))

    assert cli("instance", "logs", "here", "--tail", "5").out == "a\tb\n"
    assert cli("instance", "execute", "here", "ls -l").out == "a\tb\n"
    assert cli("instance", "logs", "7", "--json").json_lines() == [{"text": "a\tb\n"}]
    assert made.bodies("POST", "/v1/instances/7/execute") == [{"command": "ls -l"}]


def test_a_key_is_added_listed_and_removed(
    made: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    key = v1.SshKeyView(id=4, public_key="ssh-ed25519 A", created_at=views.AT)
    for path in ("/v1/ssh-keys", "/v1/instances/7/ssh-keys"):
        made.on("POST", path, ok(key, 201))
        made.on("GET", path, ok(v1.SshKeyPage(data=[key])))
        made.on("DELETE", f"{path}/4", Answer(204))
    file = tmp_path / "key.pub"
    file.write_text("ssh-ed25519 A\n")

    for more in ((), ("--instance", "here")):
        assert cli("ssh-key", "add", str(file), *more).out == "id   4\nkey  ssh-ed25519 A\n"
        assert cli("ssh-key", "list", *more).out.startswith("4\tssh-ed25519 A\t")
        assert cli("ssh-key", "remove", "4", *more).code == exits.DONE
    assert cli("ssh-key", "add", "/nowhere").code == exits.USAGE
