import pytest

from cloudcopy.cli import exits
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Scripted, ok, problem

ALL = "/v1/transfers"
ONE = "/v1/transfers/t_1"
DONE = views.transfer(state="succeeded", result=views.result())


@pytest.fixture(autouse=True)
def a_copy_that_succeeds(server: Scripted) -> None:
    running = views.transfer(state="running", progress=views.progress())
    server.on("POST", ALL, ok(views.transfer(), 202))
    server.on("GET", ONE, ok(running), ok(DONE))


def test_a_copy_is_waited_for_and_says_what_it_did_and_where_it_went(cli: CommandLine) -> None:
    ran = cli("copy", "@here:/data", "my-s3:bucket/data")

    assert ran.code == exits.DONE
    assert ran.out == "✔ 3 copied (3.0 KiB); verified by md5 → my-s3:bucket/data  (t_1)\n"
    assert "transferring 50%  512.0 KiB of 1.0 MiB  512.0 KiB left  2.0 KiB/s" in ran.err


def test_detached_it_prints_only_the_id(server: Scripted, cli: CommandLine) -> None:
    ran = cli("copy", "@here:/data", "my-s3:bucket/data", "--detach")

    assert (ran.code, ran.out) == (exits.DONE, "t_1\n")
    assert "cloudcopy transfer watch t_1" in ran.err
    assert [each.method for each in server.seen] == ["POST"]


def test_as_json_there_is_a_line_per_change_and_the_final_transfer_comes_last(
    cli: CommandLine,
) -> None:
    ran = cli("copy", "@here:/data", "my-s3:bucket/data", "--json")

    assert [each["state"] for each in ran.json_lines()] == ["running", "succeeded"]
    assert ran.json_lines()[-1] == DONE.model_dump(mode="json")
    assert ran.err == ""


def test_detached_as_json_it_prints_the_accepted_transfer(cli: CommandLine) -> None:
    ran = cli("copy", "@here:/data", "my-s3:bucket/data", "--json", "--detach")

    assert ran.json_lines() == [views.transfer().model_dump(mode="json")]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("state", "code"),
    [("failed", exits.FAILED), ("cancelled", exits.CANCELLED)],
)
def test_the_exit_code_says_how_it_ended(
    server: Scripted, cli: CommandLine, state: str, code: int
) -> None:
    server.on("GET", ONE, ok(views.transfer(state=state, reason="The disk is full.")))

    ran = cli("copy", "@here:/data", "my-s3:bucket/data")

    assert (ran.code, ran.out) == (code, "")
    assert "✖ The copy t_1" in ran.err
    assert "The disk is full." in ran.err
    assert "  Now: " in ran.err
    assert "cloudcopy transfer retry t_1" in ran.err


def test_a_copy_between_instances_says_which_way_it_went(
    server: Scripted, cli: CommandLine
) -> None:
    way = "from instance to instance, directly on one machine"
    between = {"source_instance": 8, "connection_name": "@8", "cloud_type": "instance"}
    sides = {"direction": "cloud_to_instance", "src": "/x", "dst": "/y"}
    done = views.transfer(state="succeeded", result=views.result(notes=[way]), **between, **sides)
    server.on("GET", ONE, ok(done))

    ran = cli("copy", "@box:/x", "@here:/y")

    (body,) = server.bodies("POST", ALL)
    assert isinstance(body, dict)
    assert (body["source_instance"], body["instance"]) == ("box", "here")
    assert (ran.code, "→ @here:/y" in ran.out) == (exits.DONE, True)
    assert way in cli("transfer", "show", "t_1").out


def test_flags_are_passed_on_and_rules_keep_the_order_they_were_given_in(
    server: Scripted, cli: CommandLine
) -> None:
    cli(
        *("copy", "@here:/data", "my-s3:bucket/data", "--detach"),
        *("--exclude", "*.tmp", "--include=*.bin", "--filter", "- cache/**", "--exclude", "a=b"),
        *("--dry-run", "--size-only", "--checksum", "--ignore-existing", "--update"),
        *("--immutable", "--no-traverse", "--delete-excluded"),
        *("--max-age", "7d", "--min-age", "1h", "--max-size", "1G", "--min-size", "1K"),
        *("--transfers", "8", "--checkers", "16", "--max-transfer", "1T"),
    )

    (body,) = server.bodies("POST", ALL)
    assert isinstance(body, dict)
    flags = body["flags"]
    assert flags[-4:] == ["--exclude=*.tmp", "--include=*.bin", "--filter=- cache/**",
                          "--exclude=a=b"]  # fmt: skip
    assert sorted(flags[:-4]) == [
        "--checkers=16",
        "--checksum",
        "--delete-excluded",
        "--dry-run",
        "--ignore-existing",
        "--immutable",
        "--max-age=7d",
        "--max-size=1G",
        "--max-transfer=1T",
        "--min-age=1h",
        "--min-size=1K",
        "--no-traverse",
        "--size-only",
        "--transfers=8",
        "--update",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("copy", "@7:/data", "my-s3:x"),
        ("cloud", "copy", "7", "/data", "x", "--connection", "my-s3"),
    ],
)
def test_what_is_compared_how_it_is_proven_and_how_fast_are_no_flags(
    server: Scripted, cli: CommandLine, words: tuple[str, ...]
) -> None:
    cli(*words, "--compare", "checksum", "--verify", "size", "--bwlimit", "50M", "--detach")

    assert server.bodies("POST", ALL) == [
        {
            "instance": "7",
            "connection": "my-s3",
            "direction": "instance_to_cloud",
            "src": "/data",
            "dst": "x",
            "flags": [],
            "compare": "checksum",
            "verify": "size",
            "mode": "copy",
            "bwlimit": "50M",
        }
    ]


def test_a_level_that_does_not_exist_is_refused(server: Scripted, cli: CommandLine) -> None:
    ran = cli("copy", "@here:/data", "my-s3:x", "--compare", "content")

    assert ran.code == exits.USAGE
    assert "checksum" in ran.err
    assert server.seen == []


def test_a_copy_that_is_partial_says_how_to_try_only_those_files(
    server: Scripted, cli: CommandLine
) -> None:
    result = views.result(failed=1, summary="2 copied, 1 failed; verified by md5")
    server.on("GET", ONE, ok(views.transfer(state="partial", reason="1 failed.", result=result)))

    ran = cli("copy", "@here:/data", "my-s3:bucket/data")

    assert ran.code == exits.PARTIAL
    assert "is partial: 1 failed. 2 copied, 1 failed; verified by md5." in ran.err
    assert "cloudcopy transfer report t_1" in ran.err
    assert "cloudcopy transfer retry t_1 --failed" in ran.err


def test_the_server_says_what_is_wrong_with_a_flag(server: Scripted, cli: CommandLine) -> None:
    server.on("POST", ALL, problem(422, "bad_flag", "flags: --bwlimit must be a size.", "Read."))

    ran = cli("copy", "@here:/data", "my-s3:bucket/data", "--bwlimit", "fast")

    assert ran.code == exits.USAGE
    assert ran.err == "✖ flags: --bwlimit must be a size.\n  Now: Read.\n"


def test_the_seed_form_asks_for_the_same_copy(server: Scripted, cli: CommandLine) -> None:
    ran = cli(
        *("cloud", "copy", "7", "/workspace/x", "bucket/x", "--connection", "101"),
        *("--transfer", "Instance To Cloud", "--dry-run", "--detach"),
    )

    assert (ran.code, ran.out) == (exits.DONE, "t_1\n")
    assert server.bodies("POST", ALL) == [
        {
            "instance": "7",
            "connection": "101",
            "direction": "instance_to_cloud",
            "src": "/workspace/x",
            "dst": "bucket/x",
            "flags": ["--dry-run"],
            "compare": None,
            "verify": "hash",
            "mode": "copy",
            "bwlimit": "",
        }
    ]


def test_the_seed_form_takes_its_words_as_options_and_in_any_case_too(
    server: Scripted, cli: CommandLine
) -> None:
    cli(
        *("cloud", "copy", "--src", "bucket/x", "--dst", "/workspace", "--instance", "7"),
        *("--connection", "101", "--transfer", "cloud to instance", "--detach"),
    )

    (body,) = server.bodies("POST", ALL)
    assert isinstance(body, dict)
    assert body["direction"] == "cloud_to_instance"
    assert (body["src"], body["dst"]) == ("bucket/x", "/workspace")


def test_a_direction_that_is_none_is_refused(server: Scripted, cli: CommandLine) -> None:
    ran = cli("cloud", "copy", "7", "/x", "b/x", "--connection", "101", "--transfer", "up")

    assert ran.code == exits.USAGE
    assert "'Instance To Cloud' or 'Cloud To Instance'" in ran.err
    assert server.seen == []


def test_a_type_before_an_id_must_be_the_connections(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/connections/101", ok(views.connection(cloud_type="b2")))

    wrong = cli("copy", "@here:/data", "s3.101:/bucket/data")
    assert wrong.code == exits.USAGE
    assert "is of type b2, not s3" in wrong.err
    assert server.bodies("POST", ALL) == []

    right = cli("copy", "C.7:/data", "backblaze.101:/bucket/data", "--detach")
    assert right.code == exits.DONE


def test_an_address_that_cannot_be_read_asks_the_server_nothing(
    server: Scripted, cli: CommandLine
) -> None:
    ran = cli("copy", "./data", "my-s3:bucket/data")

    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert ran.err.startswith("✖ './data' names no place: there is no ':' in it.\n  Now: ")
    assert server.seen == []
