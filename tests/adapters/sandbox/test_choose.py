from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.adapters.sandbox.landlock import Landlock, Unconfined
from cloudcopy.domain.errors import Invalid, Unavailable
from tests.adapters.sandbox.cells import BWRAP

MISSING = Path("/nonexistent/bwrap")


@pytest.fixture
async def both() -> None:
    if not (await Bubblewrap(BWRAP).usable() and await Landlock().usable()):
        pytest.skip("this machine does not have both sandboxes")


@pytest.mark.usefixtures("both")
async def test_bubblewrap_comes_first_and_landlock_next() -> None:
    first = await choose(bwrap=BWRAP, allow_unconfined=True, prefer=None)
    assert first == Bubblewrap(BWRAP)
    for bwrap in (None, MISSING, Path("/bin/false")):
        assert await choose(bwrap=bwrap, allow_unconfined=True, prefer=None) == Landlock()


@pytest.mark.usefixtures("both")
async def test_a_preference_is_kept() -> None:
    for name, made in (("bubblewrap", Bubblewrap(BWRAP)), ("landlock", Landlock())):
        chosen = await choose(bwrap=BWRAP, allow_unconfined=False, prefer=name)
        assert chosen == made
        assert chosen.name == name


async def test_a_preference_that_does_not_work_is_not_replaced_by_something_weaker() -> None:
    with pytest.raises(Unavailable) as error:
        await choose(bwrap=MISSING, allow_unconfined=True, prefer="bubblewrap")
    assert "bubblewrap cannot start a sandbox here" in str(error.value)


async def test_unconfined_needs_the_operators_word() -> None:
    allowed = await choose(bwrap=None, allow_unconfined=True, prefer="unconfined")
    assert allowed == Unconfined()
    with pytest.raises(Unavailable) as error:
        await choose(bwrap=None, allow_unconfined=False, prefer="unconfined")
    assert str(error.value) == (
        "rclone cannot be confined on this machine: running rclone unconfined was not allowed"
    )
    assert "--allow-unconfined" in error.value.next[-1]


async def test_where_nothing_works_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer is the one thing that cannot be had for real here."""
    monkeypatch.setattr("cloudcopy.adapters.sandbox.launch.landlock_abi", lambda: 0)
    with pytest.raises(Unavailable) as error:
        await choose(bwrap=None, allow_unconfined=False, prefer=None)
    assert str(error.value) == (
        "rclone cannot be confined on this machine: bubblewrap is not installed; this kernel has "
        "no Landlock, or it is forbidden; running rclone unconfined was not allowed"
    )
    assert "apt install bubblewrap" in error.value.next[0]
    assert await choose(bwrap=None, allow_unconfined=True, prefer=None) == Unconfined()


async def test_an_unknown_preference_is_refused() -> None:
    with pytest.raises(Invalid) as error:
        await choose(bwrap=None, allow_unconfined=True, prefer="docker")
    assert str(error.value) == (
        "sandbox: 'docker' is unknown; known: bubblewrap, landlock, unconfined"
    )
