import io
import json

import pytest

from cloudcopy.cli import credentials, exits
from cloudcopy.cli.exits import Refused
from cloudcopy.domain.connection import PROVIDERS
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem

ALL = "/v1/connections"
ADD = ("connection", "add", "my-s3", "--type", "s3")
GIVEN = {"access_key_id": "AKIA", "secret_access_key": "hush-hush"}


class Stdin(io.StringIO):
    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin())


@pytest.fixture(autouse=True)
def one_connection(server: Scripted) -> None:
    server.on("POST", ALL, ok(views.connection(), 201))
    server.on("GET", ALL, ok(v1.ConnectionPage(data=[views.connection()])))
    server.on("GET", f"{ALL}/101", ok(views.connection()))


def sent(server: Scripted) -> object:
    (body,) = server.bodies("POST", ALL)
    assert isinstance(body, dict)
    return body["parameters"]


def test_secrets_come_from_stdin_as_json(
    server: Scripted, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(json.dumps(GIVEN)))

    ran = cli(*ADD, "--secrets-stdin", "--bucket", "b", "--param", "region=eu-west-1")

    assert ran.code == exits.DONE
    assert sent(server) == GIVEN | {"bucket": "b", "region": "eu-west-1"}
    assert server.seen[0].query == {"test": "true"}
    assert "hush-hush" not in ran.out + ran.err


def test_secrets_come_from_the_variables_that_were_named(
    server: Scripted, cli: CommandLine
) -> None:
    cli.environ |= {"MY_ID": "AKIA", "MY_KEY": "hush-hush"}

    ran = cli(
        *ADD, "--secret-env", "access_key_id=MY_ID", "--secret-env", "secret_access_key=MY_KEY",
        "--no-test",
    )  # fmt: skip

    assert ran.code == exits.DONE
    assert sent(server) == GIVEN
    assert server.seen[0].query == {"test": "false"}


def test_secrets_come_from_the_variables_of_the_aws_tools(
    server: Scripted, cli: CommandLine
) -> None:
    cli.environ |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush-hush"}

    cli(*ADD, "--from-env")

    assert sent(server) == GIVEN


def test_a_person_is_asked_for_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(terminal=True))
    asked: list[str] = []

    def type_it(prompt: str) -> str:
        asked.append(prompt)
        return " hush-hush\n"

    found = credentials.collect(
        "s3",
        {"MY_ID": "AKIA"},
        stdin=False,
        standard=False,
        named=["access_key_id=MY_ID"],
        ask=type_it,
    )

    assert found == GIVEN
    assert asked == ["secret_access_key (not shown): "]


def test_a_script_is_told_which_ways_there_are(server: Scripted, cli: CommandLine) -> None:
    ran = cli(*ADD)

    assert ran.code == exits.USAGE
    assert "access_key_id is missing" in ran.err
    assert "--secrets-stdin" in ran.err
    assert "--secret-env" in ran.err
    assert server.seen == []


@pytest.mark.parametrize(
    ("cloud_type", "key"),
    [(name, key) for name, provider in PROVIDERS.items() for key in sorted(provider.secret)],
)
def test_no_secret_of_any_store_is_taken_from_the_command_line(cloud_type: str, key: str) -> None:
    with pytest.raises(Refused, match=f"^{key} is a secret") as caught:
        credentials.plain(cloud_type, [f"{key}=hush-hush"])

    assert "hush-hush" not in "".join((caught.value.detail, *caught.value.next))


def test_a_secret_on_the_command_line_is_not_sent_and_not_repeated(
    server: Scripted, cli: CommandLine
) -> None:
    ran = cli(*ADD, "--param", "secret_access_key=hush-hush")

    assert ran.code == exits.USAGE
    assert "hush-hush" not in ran.err
    assert server.seen == []


def test_the_account_of_azure_is_a_plain_name() -> None:
    assert credentials.plain("azureblob", ["account=me"]) == {"account": "me"}


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("--param", "hush-hush"), "", "--param wants KEY=VALUE"),
        (("--secret-env", "hush-hush"), "", "--secret-env wants KEY=VARIABLE"),
        (("--secret-env", "key=NOT_THERE"), "", "no such variable"),
        (("--from-env",), "", "none of the AWS variables is set"),
        (("--secrets-stdin",), '{"access_key_id": hush-hush', "stdin is not JSON"),
        (("--secrets-stdin",), '["hush-hush"]', "not an object"),
        (("--secrets-stdin",), '{"access_key_id": "hush-hush"}', "secret_access_key is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_without_quoting_it(
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    stdin: str,
    says: str,
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(stdin))

    ran = cli(*ADD, *words)

    assert ran.code == exits.USAGE
    assert says in ran.err
    assert "hush-hush" not in ran.err


def test_a_service_account_may_be_given_as_the_object_it_is(
    server: Scripted, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"type": "service_account", "private_key": "hush-hush"}
    monkeypatch.setattr("sys.stdin", Stdin(json.dumps({"service_account_credentials": account})))

    cli("connection", "add", "docs", "--type", "gcs", "--secrets-stdin")

    assert sent(server) == {"service_account_credentials": json.dumps(account)}


def test_a_store_that_refuses_the_credentials_is_told_with_its_cure(
    server: Scripted, cli: CommandLine
) -> None:
    cli.environ |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
    server.on("POST", ALL, problem(422, "wrong_key", "The store refused the key.", "Check it."))

    ran = cli(*ADD, "--from-env")

    assert ran.code == exits.USAGE
    assert ran.err == "✖ The store refused the key.\n  Now: Check it.\n"


@pytest.mark.parametrize(("works", "code"), [(True, exits.DONE), (False, exits.FAILED)])
def test_a_test_fails_with_the_store(
    server: Scripted, cli: CommandLine, works: bool, code: int
) -> None:
    said = v1.ConnectionTest(ok=works, detail="It says so.")
    server.on("POST", f"{ALL}/101/test", ok(said))

    assert cli("connection", "test", "my-s3").code == code
    assert cli("connection", "test", "101", "--json").json_lines() == [said.model_dump()]


def test_a_connection_is_shown_listed_and_removed_by_name(
    server: Scripted, cli: CommandLine
) -> None:
    server.on("DELETE", f"{ALL}/101", Answer(204))

    assert cli("connection", "list").out == "101\tmy-s3\ts3\tbucket\n"
    assert "  region  eu-west-1\n" in cli("connection", "show", "my-s3").out
    removed = cli("connection", "remove", "my-s3")
    assert (removed.code, removed.out) == (exits.DONE, "")
    assert "Connection 101 (my-s3) is forgotten." in removed.err
