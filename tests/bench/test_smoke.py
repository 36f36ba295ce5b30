"""A short run of the whole: cloudcopy beside rclone."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.cloudcopy_peer import CLOUDCOPY
from bench.programs import RCLONE
from bench.record import Record


@pytest.mark.bench
def test_a_quick_run_measures_both_and_writes_page_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["--quick", f"--out={tmp_path}"]) == 0
    record = Record.load(tmp_path / "performance.json")
    assert sorted(record.rows) == ["noop-up@0ms", "small-down@0ms", "small-up@0ms"]
    for row in record.rows.values():
        assert row.failed == {}
        assert set(row.seconds) == {CLOUDCOPY, RCLONE}
        assert all(0 < each < 60 for some in row.seconds.values() for each in some)
    assert "100 × 10 KiB, nothing to do, up" in (tmp_path / "performance.md").read_text()
    assert "cloudcopy / best peer" in capsys.readouterr().out


def test_a_row_or_a_peer_that_is_not_known_is_told_before_anything_is_started():
    with pytest.raises(SystemExit, match="'small-sideways' is none of"):
        main(["--work=small-sideways"])
    with pytest.raises(SystemExit, match="not among"):
        main(["--work=small", "--peers=ftp"])
