import pytest

from cloudcopy.cli.addresses import CLOUD_TYPES, Address, Route, parse, route, written
from cloudcopy.cli.exits import Refused
from cloudcopy.domain.connection import ALIASES, OFFERED
from tests.sdk import views


def address(
    reference: str, path: str, *, instance: bool = False, cloud_type: str | None = None
) -> Address:
    return Address(is_instance=instance, reference=reference, path=path, cloud_type=cloud_type)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my-s3:bucket/x", address("my-s3", "bucket/x")),
        ("my-s3:", address("my-s3", "")),
        ("my-s3:a:b", address("my-s3", "a:b")),
        ("v1.2:x", address("v1.2", "x")),  # a name with a dot, no type
        ("@here:/data", address("here", "/data", instance=True)),
        ("@123:/data", address("123", "/data", instance=True)),
        ("C.123:/data", address("123", "/data", instance=True)),
        ("c.123:data", address("123", "data", instance=True)),
        ("s3.101:/b/x", address("101", "/b/x", cloud_type="s3")),
        ("backblaze.5:b", address("5", "b", cloud_type="b2")),
        ("HF.6:b/x", address("6", "b/x", cloud_type="hf")),
    ],
)
def test_an_address_names_a_side_and_a_path(text: str, expected: Address) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./ckpt", "no ':'"),
        (":bucket/x", "no connection before"),
        ("@:/data", "no instance after"),
        ("101:/data", "could be an instance or a connection"),
    ],
)
def test_what_is_no_address_is_refused_with_the_form_to_use(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        parse(text)

    assert caught.value.next


def test_the_instances_side_decides_the_direction() -> None:
    assert route("@here:/data", "my-s3:bucket/x") == Route(
        "here", "my-s3", "instance_to_cloud", "/data", "bucket/x", None
    )
    assert route("s3.101:/bucket/x", "C.7:/data") == Route(
        "7", "101", "cloud_to_instance", "/bucket/x", "/data", "s3"
    )


@pytest.mark.parametrize(
    ("src", "dst", "words"),
    [("a:x", "s3.1:x", "both connections")],
)
def test_a_copy_has_an_instance_at_one_end(src: str, dst: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        route(src, dst)


@pytest.mark.parametrize("direction", ["instance_to_cloud", "cloud_to_instance"])
def test_a_transfer_is_written_in_the_form_that_is_read(direction: str) -> None:
    transfer = views.transfer(direction=direction, src="/a", dst="/b")

    found = route(*written(transfer))

    assert (found.instance, found.connection) == ("here", "my-s3")
    assert (found.direction, found.src, found.dst) == (direction, "/a", "/b")


def test_a_copy_may_go_from_an_instance_to_another() -> None:
    assert route("@one:/x", "C.102:/y") == Route(
        "102", None, None, "/x", "/y", source_instance="one"
    )


def test_what_stands_for_an_instance_is_written_as_that_instance() -> None:
    transfer = views.transfer(
        direction="cloud_to_instance",
        connection_name="@101",
        cloud_type="instance",
        source_instance=101,
        src="/a",
        dst="/b",
    )

    assert written(transfer) == ("@101:/a", "@here:/b")


def test_every_type_of_store_can_be_written_before_an_id() -> None:
    assert {**{name: name for name in OFFERED}, **ALIASES} == CLOUD_TYPES
