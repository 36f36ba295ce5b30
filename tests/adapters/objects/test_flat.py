"""A tree that comes in one answer has what going through its directories finds."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.failing import Failure, Unsupported
from cloudcopy.adapters.objects.child.flat import tree
from cloudcopy.adapters.objects.child.methods import Methods
from cloudcopy.adapters.objects.child.options import Options
from cloudcopy.adapters.rclone.listing import Listed, Unlisted
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.walk import walk
from demo.seaweed import S3, seaweed

BUCKET = "flat"
NAMES = (
    "top",
    "a/b/c/d/e",
    "a/b/f",
    "a/",
    "a/b/",
    "empty/",
    "empty/below/",
    "a-b/x",
    "a.b/x",
    "a b/x",
    "a/b-c",
    "z/100%25",
    "z/é",
    "z/+plus",
    "z/q?*[x]{y}",
    "z/&amp;<x>",
    "z/ blank ",
)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        store.create_bucket(BUCKET)
        yield store


class Child:
    """The second mover's calls, in this process."""

    def __init__(self, s3: S3) -> None:
        self.methods = Methods(Options(store=dict(s3.parameters)))
        self.asked = self.whole = 0

    def close(self) -> None:
        """What ends with the program otherwise."""
        for each in threading.enumerate():
            if each.name.startswith("ThreadPoolExecutor"):
                each.join()
        for connection in self.methods.cloud.signed._idle:
            connection.close()

    def __call__(self, *, flat: bool) -> Callable[..., Any]:
        async def call(method: str, **parameters: Any) -> dict[str, Any]:
            given = parameters if flat else {**parameters, "whole": False}
            self.asked += 1
            found = await asyncio.to_thread(self.methods.answer, Call(), method, given)
            self.whole += bool(found.get("whole"))
            return found

        return call


@pytest.fixture
def child(s3: S3) -> Iterator[Child]:
    with closing(Child(s3)) as child:
        yield child


def put(s3: S3, *keys: str, content: bytes = b"x") -> None:
    with s3.client() as client:
        for key in keys:
            body = b"" if key.endswith("/") else content
            client.put_object(Bucket=BUCKET, Key=key, Body=body)


async def files(call: Any, fs: str, **options: Any) -> list[Listed]:
    found = [
        each
        async for batch in walk(call, fs, hashes=("md5",), server_times=True, **options)
        for each in batch
    ]
    return sorted(found, key=lambda each: each.path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"below": "a"},
        {"below": "a/b"},
        {"below": "none"},
        {"directories": lambda name: name != "a/b"},
        {"directories": lambda name: name in ("a/b", "z")},  # but not `a`
    ],
)
async def test_one_answer_has_what_the_directories_have(
    s3: S3, child: Child, options: Mapping[str, Any]
):
    put(s3, *(f"odd/{each}" for each in NAMES))
    fs = f"R:{BUCKET}/odd/"
    one = await files(child(flat=True), fs, **options)
    assert (child.asked, child.whole) == (1, 1)
    assert one == await files(child(flat=False), fs, **options)
    if not options:
        assert [each.path for each in one] == sorted(n for n in NAMES if not n.endswith("/"))


async def test_a_tree_of_more_than_a_page_is_walked(s3: S3, child: Child):
    put(s3, *(f"large/d{number % 3}/{number:04}" for number in range(1001)))
    found = await files(child(flat=True), f"R:{BUCKET}/large/")
    assert (len(found), child.asked, child.whole) == (1001, 4, 0)
    assert len(await files(child(flat=True), f"R:{BUCKET}/large/d0/")) == 334
    assert child.whole == 1


async def test_what_cannot_be_listed_is_told_as_it_was(s3: S3, child: Child):
    with pytest.raises(Failure, match="NoSuchBucket"):
        await child(flat=True)("operations/list", fs="R:missing/", remote="", whole=True)
    put(s3, "named/x\u201b", "named/plain")
    with pytest.raises(Unsupported):
        await child(flat=True)("operations/list", fs=f"R:{BUCKET}/named/", remote="", whole=True)


class Told:
    """Answers a listing with these keys, all of them."""

    def __init__(self, keys: Mapping[str, int], more: str = "false") -> None:
        self.keys, self.more = keys, more
        self.sizes: dict[str, int] = {}
        self.signed = self

    def whole(self, call: Call, method: str, place: str, *, query: Mapping[str, str]):
        found = [
            f"<Contents><Key>{quote(key)}</Key><Size>{size}</Size></Contents>"
            for key, size in self.keys.items()
        ]
        head = f"<EncodingType>url</EncodingType><IsTruncated>{self.more}</IsTruncated>"
        return {}, f"<R>{head}{''.join(found)}</R>".encode()


def test_a_file_and_a_directory_of_one_name_are_both_there():
    found = tree(Told({"d/a": 1, "d/a/b/c": 1, "d/": 0}), Call(), "bucket/d")  # type: ignore[arg-type]
    assert found
    assert [name for name, _ in found.files] == ["a", "a/b/c"]
    assert found.directories == ["a", "a/b"]


@pytest.mark.parametrize(
    "keys",
    [
        {"d/a//b": 1},
        {"d//": 0},
        {"d/": 1},
        {"d/a/": 1},
        {"d/../x": 1},
        {"d/\u2401": 1},
        {"e/x": 1},
    ],
)
def test_what_is_no_plain_path_is_left_to_the_walk(keys: Mapping[str, int]):
    assert tree(Told({"d/x": 1, **keys}), Call(), "bucket/d") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("more", ["true", ""])
def test_what_is_not_known_to_be_all_is_left_to_the_walk(more: str):
    assert tree(Told({"d/x": 1}, more), Call(), "bucket/d") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("directories", [None, lambda name: name != "d1/e"])
async def test_directories_that_are_likely_change_nothing_but_the_order(
    s3: S3, child: Child, small: bool, directories: Any
):
    put(s3, *(f"likely/d{number % 3}/e/{number:04}" for number in range(1001)), "likely/d3/x")
    put(s3, "likely/d1/e/below/y")
    fs, likely = f"R:{BUCKET}/likely/", ["d0", "d0/e", "d1/e", "d3/none", "none", "none/below"]
    asked: list[str] = []

    async def call(method: str, **parameters: Any) -> dict[str, Any]:
        asked.append(parameters["remote"])
        if parameters["remote"] in ("none", "d3/none"):
            raise RcError("AccessDenied: not to be listed", 403)
        return await child(flat=True)(method, **parameters)

    options = {"directories": directories}
    found = await files(call, fs, small=small, likely=likely, **options)
    assert found == await files(child(flat=True), fs, **options)
    there = {"", "d0", "d1", "d2", "d3", "d0/e", "d2/e"}
    there |= set() if directories else {"d1/e", "d1/e/below"}
    guessed = {"d3/none"} if small else {"d3/none", "none", "none/below"}
    assert sorted(asked) == sorted(there | guessed)


async def test_a_likely_directory_that_is_there_and_cannot_be_listed_is_told(s3: S3, child: Child):
    put(s3, *(f"closed/d/{number:04}" for number in range(1001)))

    async def call(method: str, **parameters: Any) -> dict[str, Any]:
        if parameters["remote"] == "d":
            raise RcError("AccessDenied: not to be listed", 403)
        return await child(flat=True)(method, **parameters)

    told: list[Unlisted] = []
    for likely in ([], ["d"]):
        with pytest.raises(Unlisted, match="AccessDenied"):
            await files(call, f"R:{BUCKET}/closed/", likely=likely)
        await files(call, f"R:{BUCKET}/closed/", likely=likely, small=False, unlisted=told.append)
    assert [each.directory for each in told] == ["d", "d"]
