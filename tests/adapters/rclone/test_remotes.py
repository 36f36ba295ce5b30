"""Passwords in rclone's own encoding, as rclone reads them."""

import subprocess
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.remotes import obscured
from cloudcopy.domain.connection import Backend


@pytest.fixture
async def rclone() -> Path:
    return await find()


@pytest.mark.parametrize("plain", ["", "p", "päß wörd -- $'\"\n", "x" * 5000])
def test_rclone_reveals_what_was_obscured(rclone: Path, plain: str) -> None:
    told = obscured(Backend("sftp", {"host": "h", "pass": plain, "user": "u"}))
    hidden = told.options["pass"]
    assert {**told.options, "pass": plain} == {"host": "h", "pass": plain, "user": "u"}
    revealed = subprocess.run([rclone, "reveal", "--", hidden], capture_output=True, check=True)
    assert revealed.stdout.decode() == f"{plain}\n"


def test_no_two_are_alike_and_what_needs_none_is_left() -> None:
    backend = Backend("sftp", {"host": "h", "pass": "secret"})
    assert obscured(backend).options["pass"] != obscured(backend).options["pass"]
    plain = Backend("s3", {"secret_access_key": "secret"})
    assert obscured(plain) is plain
