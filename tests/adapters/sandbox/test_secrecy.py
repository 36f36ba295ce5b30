"""Where the credentials are, and where nothing of them is."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.domain.connection import Backend
from tests.adapters.sandbox.cells import BWRAP, Ground, running

SECRETS = {"access_key_id": "AKIACANARY000", "secret_access_key": "canary/secret+000"}
STORE = Backend("s3", {"provider": "Other", **SECRETS})


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def family(pid: int) -> Iterator[int]:
    """`pid` and its ancestors up to this process, which is the first."""
    while pid != os.getpid():
        yield pid
        pid = int(told(pid, "status").partition("\nPPid:")[2].split()[0])


def told(pid: int, about: str) -> str:
    return Path(f"/proc/{pid}/{about}").read_text()


def open_files(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


def core_limit(limits: str) -> list[str]:
    """Soft, hard and unit."""
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    return line.split()[-3:]


def environment(pid: int) -> dict[str, str]:
    words = told(pid, "environ").split("\0")
    return dict(word.split("=", 1) for word in words if word)


async def test_the_credentials_reach_rclone_and_no_argument_list_and_no_disk(
    any_sandbox: Sandbox, ground: Ground, temporary: Path
) -> None:
    ground.give()
    async with running(any_sandbox, ground, ground.source(), config=STORE) as cell:
        store = await cell.rc("operations/fsinfo", fs="R:bucket")
        dump = await cell.rc("config/dump")
        handed = environment(cell.confined.pid)
        lists = [told(pid, "cmdline").encode() for pid in family(cell.confined.pid)]
        files = [path for path in ground.top.rglob("*") if path.is_file()]
        texts = [path.read_bytes() for path in files]
    temporary_files = [path for path in files if temporary in path.parents]
    assert store["String"] == "S3 bucket bucket"
    for name, secret in SECRETS.items():
        assert secret in (
            dump.get("R", {}).get(name),
            handed.get(f"RCLONE_CONFIG_R_{name.upper()}"),
        )
    assert len(lists) == (2 if any_sandbox.name == "bubblewrap" else 1)
    assert ground.log in files
    for secret in SECRETS.values():
        assert not any(secret.encode() in text for text in [*lists, *texts])
    assert temporary_files == []


async def test_rclone_can_replace_a_token(sandbox: Sandbox, ground: Ground) -> None:
    """An OAuth store hands out a new one each hour; failing to save it costs 26 s each time."""
    ground.give()
    async with running(sandbox, ground, ground.source(), config=STORE) as cell:
        answer = await cell.rc("config/update", name="R", parameters={"session_token": "newer"})
    assert answer == {}
    assert "Failed to save config" not in ground.log.read_text()


async def test_the_agents_own_environment_is_not_passed_on(
    any_sandbox: Sandbox, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_METADATA_MAPPER", "/bin/evil")
    monkeypatch.setenv("RCLONE_CONFIG_EVIL_TYPE", "local")
    monkeypatch.setenv("CANARY", "seen")
    ground.give()
    async with running(any_sandbox, ground, ground.source(), config=STORE) as cell:
        seen = [environment(pid) for pid in family(cell.confined.pid)]
        remotes = (await cell.rc("config/listremotes"))["remotes"]
    names = {name for each in seen for name in each}
    if any_sandbox.name == "bubblewrap":
        assert names == {"HOME", "TMPDIR", "PWD"}
    else:
        options = {"TYPE", "PROVIDER", *(name.upper() for name in SECRETS)}
        assert names == {"HOME", "TMPDIR", *(f"RCLONE_CONFIG_R_{name}" for name in options)}
    assert [remote.upper() for remote in remotes] == ["R"]


async def test_rclone_inherits_the_lock_its_log_and_what_it_was_shown(
    any_sandbox: Sandbox, ground: Ground
) -> None:
    ground.give()
    with (ground.outside / "agents-own").open("w") as own:
        os.set_inheritable(own.fileno(), True)
        async with running(any_sandbox, ground, ground.source()) as cell:
            links = open_files(cell.confined.pid)
    names = [link for link in links if not link.startswith("/sys/fs/cgroup/")]
    named = sorted(name for name in names if name.startswith("/"))
    shown = [] if any_sandbox.name == "bubblewrap" else [str(ground.root), str(ground.store)]
    lock, log = str(ground.lock), str(ground.log)
    assert named == sorted(["/dev/null", "/dev/null", log, lock, *shown])
    kinds = {name.partition(":")[0] for name in names if not name.startswith("/")}
    assert kinds <= {"anon_inode", "socket", "pipe"}, "rclone's own"


async def test_no_core_can_be_dumped(any_sandbox: Sandbox, ground: Ground) -> None:
    ground.give()
    async with running(any_sandbox, ground, ground.source()) as cell:
        limits = [told(pid, "limits") for pid in family(cell.confined.pid)]
    assert {tuple(core_limit(each)) for each in limits} == {("0", "0", "bytes")}


def test_the_agent_dumps_no_core_and_passes_that_on() -> None:
    child = "from pathlib import Path; print(Path('/proc/self/limits').read_text())"
    code = (
        "import subprocess, sys\n"
        "from cloudcopy.adapters.sandbox.cell import no_core_dumps\n"
        "no_core_dumps()\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert core_limit(out) == ["0", "0", "bytes"]


async def test_bubblewraps_cell_has_no_rights_and_sees_only_itself(ground: Ground) -> None:
    sandbox = Bubblewrap(BWRAP)
    if not await sandbox.usable():
        pytest.skip("bubblewrap does not work on this machine")
    ground.give()
    async with running(sandbox, ground, ground.source()) as cell:
        status = told(cell.confined.pid, "status")
        mounts = told(cell.confined.pid, "mountinfo")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert {fields[key].strip() for key in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["NSpid"].split()[-1] == "1"
    assert fields["Uid"].split() == [str(ground.owner)] * 4
    writable = {
        words[4]
        for words in map(str.split, mounts.splitlines())
        if words[5].startswith("rw") and not words[4].startswith("/dev/")
    }
    assert writable == {"/cred", "/run", "/store"}
