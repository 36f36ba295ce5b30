"""The arithmetic of the table, and that a page keeps what is not its own."""

from pathlib import Path

import pytest

from bench import page, table
from bench.record import Record, Row


def row(**seconds: list[float]) -> Row:
    named = {name.replace("_", " "): some for name, some in seconds.items()}
    return Row(
        work="small",
        upload=True,
        rtt=30.0,
        label="10 × 10 KiB",
        version="0.1.0 (abc)",
        at="2026-01-01T00:00:00+00:00",
        seconds=named,
    )


def test_a_ratio_is_of_medians_and_its_spread_is_of_rounds():
    found = table.ratio([2.0, 3.0, 10.0], [1.0, 4.0, 5.0])
    assert found == table.Ratio(middle=3.0 / 4.0, low=3.0 / 4.0, high=2.0)
    assert str(found) == "0.75 (0.75–2.00)"


def test_a_ratio_of_different_rounds_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        table.ratio([1.0, 2.0], [1.0])


def test_the_best_peer_is_never_cloudcopy():
    assert table.best(row(cloudcopy=[0.1], s5cmd=[2.0, 2.0, 9.0], rclone_copy=[3.0])) == "s5cmd"
    assert table.best(row(cloudcopy=[0.1])) is None


def test_the_table_shows_medians_both_ratios_and_gaps():
    one = row(rclone_copy=[8.0, 6.0, 7.0], s5cmd=[2.0, 2.0, 2.0], cloudcopy=[1.0, 1.0, 4.0])
    one.load = 2.5
    other = row(rclone_copy=[1.0, 1.0, 1.0])
    other.work, other.failed = "large", {"cloudcopy": "failed: no\nroom"}
    lines = table.tables(Record(rows={one.key: one, other.key: other})).splitlines()
    assert lines[0] == "### Round-trip time: 30 ms"
    assert lines[2] == (
        "| seconds, median | rounds | load | cloudcopy | rclone copy | s5cmd "
        "| cloudcopy / best peer | cloudcopy / rclone copy |"
    )
    assert lines[4] == (
        "| 10 × 10 KiB, up | 3 | 2.5 | 1.00 | 7.00 | **2.00** "
        "| 0.50 (0.50–2.00) | 0.14 (0.12–0.57) |"
    )
    assert lines[5] == "| 10 × 10 KiB, up | 3 | – | – | **1.00** | – | – | – |"
    assert table.failures(Record(rows={other.key: other})) == (
        "* large-up@30ms, cloudcopy: failed: no room"
    )


def test_rows_measured_later_join_those_of_the_file(tmp_path: Path):
    path = tmp_path / "performance.json"
    first = row(cloudcopy=[1.0])
    Record(rows={first.key: first}, floor={"x": 1.0}).save(path)
    again, further = Record.load(path), row(cloudcopy=[2.0])
    further.rtt = 0.0
    again.rows[further.key] = further
    again.save(path)
    found = Record.load(path)
    assert found == Record(rows={first.key: first, further.key: further}, floor={"x": 1.0})
    assert list(found.rows) == ["small-up@0ms", "small-up@30ms"]  # in the table's order


def test_a_page_keeps_the_prose_around_its_figures(tmp_path: Path):
    before, after = f"# Title\n\nWords.\n\n{page.BEGIN}", f"{page.END}\n\nMore words.\n"
    once = page.spliced(f"{before} old {after}", "figures")
    assert once == f"{before}\n\nfigures\n\n{after}"
    assert page.spliced(once, "figures") == once


def test_a_page_without_marks_is_not_overwritten():
    with pytest.raises(ValueError, match="lacks the marks"):
        page.spliced("# Only words\n", "figures")


def test_a_page_of_rows_measured_apart_says_with_which_version_each_was():
    one, other = row(cloudcopy=[1.0]), row(cloudcopy=[1.0])
    other.rtt, other.version = 0.0, "0.1.0 (def)"
    text = page.figures(Record(rows={one.key: one, other.key: other}))
    assert "* cloudcopy 0.1.0 (abc), 2026-01-01: small-up@30ms" in text
    assert "* cloudcopy 0.1.0 (def), 2026-01-01: small-up@0ms" in text
