"""How soon a copy begins: the first byte that is noted is the copy's, and each copy has one."""

from pathlib import Path

import pytest

from bench import first_byte


@pytest.mark.bench
def test_each_copy_has_its_first_byte(tmp_path: Path):
    found = first_byte.measure(tmp_path, copies=2)
    assert found["copies"] == "2"
    least, most = found["the fastest and the slowest, ms"].split(" / ")
    assert 0 < float(least) <= float(most)
