"""What is remembered of stores: kept over a restart, worth nothing when damaged."""

import json
from pathlib import Path

import pytest

from cloudcopy.adapters.experience import MAX_STORES, FileExperience
from cloudcopy.domain.experience import Learnt
from cloudcopy.domain.pacing import Pacing

KNOWN = Learnt(round_trip=0.03, paces={"small up": Pacing(files=64, best=64, best_rate=9.5)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experience.json"


async def test_it_outlives_the_process_and_is_for_its_owner_only(path):
    await FileExperience(path).learn("s3 here", KNOWN)
    assert await FileExperience(path).recall("s3 here") == KNOWN
    assert await FileExperience(path).recall("s3 there") == Learnt()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"s3 here": {"paces": 5}}', b"\xff"])
async def test_a_damaged_file_is_written_anew(path, damage):
    path.write_bytes(damage)
    experience = FileExperience(path)
    assert await experience.recall("s3 here") == Learnt()
    await experience.learn("s3 here", KNOWN)
    assert await experience.recall("s3 here") == KNOWN


async def test_a_disk_that_cannot_be_written_is_no_failure(tmp_path):
    experience = FileExperience(tmp_path / "missing" / "experience.json")
    await experience.learn("s3 here", KNOWN)
    assert await experience.recall("s3 here") == Learnt()


async def test_the_oldest_stores_are_forgotten(path):
    path.write_text(json.dumps({f"s3 {number}": {} for number in range(MAX_STORES)}))
    experience = FileExperience(path)
    await experience.learn("s3 here", KNOWN)
    assert '"s3 0"' not in path.read_text()
    assert '"s3 1"' in path.read_text()
    assert await experience.recall("s3 here") == KNOWN
