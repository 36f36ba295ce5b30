"""What a copy can reach: its data, its store, and nothing else of the host."""

import os
import tempfile
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.domain.errors import Invalid
from tests.adapters.sandbox.cells import SANDBOXES, Cell, Ground, running

MEMORY = "/dev/shm"  # noqa: S108 - open to everybody, and so where an escape would show
LINKS = {"absolute": "{outside}", "relative": "../outside"}


async def write_through_link(cell: Cell, link: str) -> list[dict[str, object]]:
    """Every way in which a download might follow it."""
    data, store = cell.inside.data, cell.inside.store
    return [
        await cell.rc("sync/copy", srcFs=f"{store}/", dstFs=f"{data}/"),
        await cell.rc("sync/copy", srcFs=f"{store}/{link}/", dstFs=f"{data}/{link}/"),
        await cell.rc("operations/mkdir", fs=data, remote=f"{link}/owned_dir"),
    ]


async def test_an_upload_lands_in_the_store(any_sandbox: Sandbox, ground: Ground) -> None:
    (ground.root / "a" / "b").mkdir(parents=True)
    (ground.root / "a" / "b" / "f").write_text("hello")
    ground.give()
    async with running(any_sandbox, ground, ground.source("a")) as cell:
        answer = await cell.rc("sync/copy", srcFs=cell.inside.data, dstFs=f"{cell.inside.store}/")
    assert answer == {}
    assert (ground.store / "b" / "f").read_text() == "hello"


async def test_a_single_file_is_shown_without_its_neighbours(
    sandbox: Sandbox, ground: Ground
) -> None:
    (ground.root / "f").write_text("hello")
    (ground.root / "neighbour").write_text("private")
    ground.give()
    async with running(sandbox, ground, ground.source("f")) as cell:
        data, store = cell.inside.data, f"{cell.inside.store}/"
        stat = await cell.rc("operations/stat", fs=data, remote="f")
        one, two = [
            await cell.rc(
                "operations/copyfile", srcFs=data, srcRemote=name, dstFs=store, dstRemote=name
            )
            for name in ("f", "neighbour")
        ]
    assert stat["item"]["Size"] == 5
    assert one == {}
    assert "error" in two
    assert [each.name for each in ground.store.iterdir()] == ["f"]


async def test_an_upload_cannot_change_its_source(sandbox: Sandbox, ground: Ground) -> None:
    (ground.root / "f").write_text("hello")
    ground.give()
    async with running(sandbox, ground, ground.source()) as cell:
        data = cell.inside.data
        answers = [
            await cell.rc(
                "operations/copyfile", srcFs=data, srcRemote="f", dstFs=data, dstRemote="g"
            ),
            await cell.rc("operations/deletefile", fs=data, remote="f"),
            await cell.rc("operations/mkdir", fs=data, remote="d"),
        ]
    assert all("error" in answer for answer in answers)
    assert [each.name for each in ground.root.iterdir()] == ["f"]
    assert (ground.root / "f").read_text() == "hello"


async def test_a_download_lands_and_cannot_change_the_store(
    sandbox: Sandbox, ground: Ground
) -> None:
    (ground.store / "f").write_text("hello")
    ground.give()
    async with running(sandbox, ground, ground.target("new/deep"), writable=True) as cell:
        data, store = cell.inside.data, cell.inside.store
        copied = await cell.rc("sync/copy", srcFs=store, dstFs=data)
        deleted = await cell.rc("operations/deletefile", fs=store, remote="f")
    assert copied == {}
    assert "error" in deleted
    assert (ground.store / "f").exists()
    landed = ground.root / "new" / "deep" / "f"
    assert landed.read_text() == "hello"
    assert landed.stat().st_uid == ground.owner


@pytest.mark.parametrize("kind", LINKS)
async def test_a_download_does_not_write_through_a_link_that_leaves(
    sandbox: Sandbox, ground: Ground, kind: str
) -> None:
    (ground.store / "link").mkdir()
    (ground.store / "link" / "owned").write_text("x")
    (ground.root / "link").symlink_to(LINKS[kind].format(outside=ground.outside))
    ground.give()
    async with running(sandbox, ground, ground.target(), writable=True) as cell:
        answers = await write_through_link(cell, "link")
    assert [("error" in answer) for answer in answers] == [True, True, True], answers
    assert list(ground.outside.iterdir()) == []


async def test_without_a_sandbox_the_same_download_does(ground: Ground) -> None:
    """The control of the test above: it would see an escape."""
    (ground.store / "link").mkdir()
    (ground.store / "link" / "owned").write_text("x")
    (ground.root / "link").symlink_to(ground.outside)
    for each in (ground.top, *ground.top.parents):
        if each == Path(tempfile.gettempdir()):
            break
        each.chmod(0o711)
    ground.give()
    unconfined = SANDBOXES["unconfined"]()
    async with running(unconfined, ground, ground.target(), writable=True) as cell:
        await write_through_link(cell, "link")
    assert "owned" in {each.name for each in ground.outside.iterdir()}


@pytest.mark.parametrize("kind", LINKS)
async def test_an_upload_does_not_read_through_a_link_that_leaves(
    sandbox: Sandbox, ground: Ground, kind: str
) -> None:
    (ground.outside / "secret").write_text("s")
    to = LINKS[kind].format(outside=ground.outside)
    (ground.root / "link").symlink_to(to)
    (ground.root / "file").symlink_to(f"{to}/secret")
    ground.give()
    async with running(sandbox, ground, ground.source()) as cell:
        data, store = cell.inside.data, f"{cell.inside.store}/"
        through = await cell.rc("sync/copy", srcFs=f"{data}/link/", dstFs=store)
        followed = {"type": "local", "_root": data, "copy_links": "true"}
        await cell.rc("sync/copy", srcFs=followed, dstFs=store)
        errors = await cell.errors()
    assert "error" in through or errors
    assert list(ground.store.iterdir()) == []


async def test_the_hosts_own_files_are_out_of_reach(sandbox: Sandbox, ground: Ground) -> None:
    (ground.outside / "secret").write_text("s")
    ground.give()
    async with running(sandbox, ground, ground.source()) as cell:
        store = f"{cell.inside.store}/"
        for place in (str(ground.outside), "/etc/ssl/private", "/root", "/home", "/var"):
            before = await cell.errors()
            answer = await cell.rc("sync/copy", srcFs=f"{place}/", dstFs=store)
            assert "error" in answer or await cell.errors() > before, place
        for name in ("passwd", "hostname"):
            answer = await cell.rc(
                "operations/copyfile", srcFs="/etc", srcRemote=name, dstFs=store, dstRemote=name
            )
            assert "error" in answer, name
        made = await cell.rc("operations/mkdir", fs=MEMORY, remote=ground.top.name)
    assert list(ground.store.iterdir()) == []
    assert "error" in made
    assert ground.top.name not in os.listdir(MEMORY)  # noqa: PTH208


@pytest.mark.parametrize("name", ["bubblewrap", "landlock", "unconfined"])
async def test_no_program_of_the_host_can_be_run(name: str, ground: Ground) -> None:
    """rclone has options that name a command. Unconfined is the control: there it runs."""
    ground.give()
    async with running(SANDBOXES[name](), ground, ground.target(), writable=True) as cell:
        answer = await cell.rc(
            "operations/list",
            fs={
                "type": "webdav",
                "url": "http://127.0.0.1:9",
                "bearer_token_command": "/usr/bin/touch pwned",
                "_root": "x",
            },
            remote="",
            _config={"LowLevelRetries": 1},
        )
    assert "error" in answer
    assert (ground.run / "pwned").exists() == (name == "unconfined")


async def test_a_file_named_by_a_link_is_copied_or_refused_in_words(
    sandbox: Sandbox, ground: Ground
) -> None:
    (ground.root / "f").write_text("hello")
    (ground.root / "latest").symlink_to("f")
    ground.give()
    shown = ground.source("latest")
    if sandbox.name == "landlock":
        with pytest.raises(Invalid) as error:
            async with running(sandbox, ground, shown):
                pass
        assert error.value.code == "link_to_file"
        return
    async with running(sandbox, ground, shown) as cell:
        await cell.rc(
            "operations/copyfile",
            srcFs=cell.inside.data,
            srcRemote="latest",
            dstFs=f"{cell.inside.store}/",
            dstRemote="latest",
        )
    assert (ground.store / "latest").read_text() == "hello"


async def test_what_was_opened_is_shown_even_after_its_path_became_a_link(
    sandbox: Sandbox, ground: Ground
) -> None:
    (ground.root / "a").mkdir()
    (ground.root / "a" / "f").write_text("mine")
    (ground.outside / "f").write_text("other")
    ground.give()
    shown = ground.source("a")
    (ground.root / "a").rename(ground.root / "moved")
    (ground.root / "a").symlink_to(ground.outside)
    async with running(sandbox, ground, shown) as cell:
        await cell.rc("sync/copy", srcFs=cell.inside.data, dstFs=f"{cell.inside.store}/")
    assert (ground.store / "f").read_text() == "mine"
