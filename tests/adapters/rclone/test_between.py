"""What the end of a copy between instances says besides what was copied."""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.between import FarSide, check_apart, elsewhere
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Direction
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Result
from cloudcopy.ports.engine import Broken, Copy, Done, Elsewhere, Halted, Partial


@dataclass
class Tunnel:
    trouble: str = ""


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(
        transfer="t_1",
        root=tmp_path,
        direction=Direction.TO_INSTANCE,
        local=InstancePath("in"),
        remote=RemotePath("as/ordered"),
        flags=Flags(),
        backend=Backend("instance", {}),
        ledger=tmp_path / "ledger",
    )


async def test_a_tunnel_that_fails_is_the_reason_of_what_failed_and_of_nothing_else(
    copy: Copy, tmp_path: Path
):
    tunnel, places = Tunnel(), []

    @asynccontextmanager
    async def opened(place: Path):
        places.append(place)
        yield tunnel

    async with AsyncExitStack() as stack:
        source = Elsewhere(name="it", tunnel=opened)
        far = await elsewhere(copy, source, tmp_path / "run", stack)
    assert places == [tmp_path / "run" / "relay.sock"]
    assert (far.copy.remote.value, far.copy.backend.type) == ("it", "webdav")
    broken, partial = Broken("rclone's words", Result()), Partial("rclone's words", Result())
    assert far.told(broken).reason == "rclone's words"
    tunnel.trouble = "The source is away."
    for end in (broken, partial):
        told = far.told(end)
        assert (told.reason, len(told.result.notes)) == ("The source is away.", 1)
    for end in (Done(Result(notes=("first",))), Halted(Result(notes=("first",)))):
        first, way = far.told(end).result.notes
        assert (first, "through the control plane's relay" in way) == ("first", True)


def test_a_copy_from_a_store_says_no_way(copy: Copy):
    end = Done(Result())
    assert FarSide(copy=copy).told(end) == end


@pytest.mark.parametrize(
    ("source", "name", "target", "apart"),
    [
        ("/i/a", "", "/i/b", True),
        ("/i/a", "", "/i/ab", True),
        ("/i/a", "", "/i/a", False),
        ("/i/a", "", "/i/a/b", False),
        ("/i/a/b", "", "/i/a", False),
        ("/i/a/it", "it", "/i/a", True),  # a file into its own directory changes nothing
    ],
)
def test_places_that_hold_one_another_are_refused(source: str, name: str, target: str, apart: bool):
    one, other = Shown(-1, name, Path(source), 0, 0), Shown(-1, "", Path(target), 0, 0)
    if apart:
        check_apart(one, other)
        return
    with pytest.raises(Invalid, match="hold one another"):
        check_apart(one, other)
