import io

import pytest
from rich.console import Console

from cloudcopy.cli import bar
from cloudcopy.cli.output import Terminal, duration, size
from cloudcopy.wire.v1 import CurrentFileView
from tests.sdk import views

RUNNING = views.transfer(state="running", progress=views.progress())


def drawn(**changes: object) -> list[str]:
    transfer = views.transfer(state="running", progress=views.progress(**changes))
    console = Console(file=io.StringIO(), width=80, color_system=None)
    with console.capture() as captured:
        console.print(bar.picture(transfer))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_bar_shows_where_to_how_far_and_at_most_three_files() -> None:
    files = [CurrentFileView(name=f"f{n}.bin", bytes=1024, size=4096) for n in range(5)]

    where, line, numbers, counts, *shown = drawn(current=files)

    assert where == "@here:/data → my-s3:bucket/data"
    assert line.count("━") == 30
    assert numbers == (
        "transferring 50%  512.0 KiB of 1.0 MiB  512.0 KiB left  2.0 KiB/s  ETA 4m16s"
    )
    assert counts == "found 48, to copy 40, copied 12, skipped 8"
    assert shown == [f"  f{n}.bin  1.0 KiB of 4.0 KiB" for n in range(3)]


def test_what_limits_it_stands_behind_the_counts() -> None:
    _, _, _, counts = drawn(limited_by="latency", found=4, to_copy=3, copied=2, skipped=0)

    assert counts == "found 4, to copy 3, copied 2, limited by latency"


def test_what_is_unknown_is_not_made_up() -> None:
    unknown = CurrentFileView(name="a", bytes=0, size=-1)

    _, _, numbers, counts, file = drawn(eta_seconds=None, current=[unknown], failed=2, retried=3)

    assert "ETA" not in numbers
    assert counts.endswith("failed 2, retried 3")
    assert file == "  a  0 B of unknown"


def test_before_anything_was_listed_there_are_no_numbers() -> None:
    empty = views.progress(phase="preparing", to_copy=0, bytes_to_copy=0)

    assert bar.headline(views.transfer(state="running", progress=empty)) == "preparing"


def test_verifying_counts_what_is_proven() -> None:
    proving = views.progress(phase="verifying", verified=30, bytes_verified=2048)

    shown = bar.headline(views.transfer(state="running", progress=proving))
    assert shown == "verifying  30 files, 2.0 KiB"


@pytest.mark.parametrize(
    ("ahead", "text"),
    [(3, "queued, 3 ahead"), (0, "queued, next in line"), (None, "queued")],
)
def test_a_queued_transfer_says_how_many_are_ahead_of_it(ahead: int | None, text: str) -> None:
    assert bar.headline(views.transfer(ahead=ahead)) == text


def test_a_paused_transfer_says_how_it_goes_on() -> None:
    paused = views.transfer(state="paused")

    assert bar.headline(paused) == "paused; go on with: cloudcopy transfer resume t_1"


def test_a_limit_is_shown_while_it_runs() -> None:
    limited = views.transfer(state="running", progress=views.progress(), bwlimit="10M")

    assert bar.counts(limited).endswith(", limit 10M")


def test_a_plan_counts_only_what_it_has_found() -> None:
    planning = views.transfer(work="plan", state="running", progress=views.progress(skipped=0))

    assert bar.counts(planning) == "found 48"


def test_a_silent_machine_is_told() -> None:
    silent = views.transfer(state="running", machine_silent=True)

    assert bar.headline(silent) == "preparing, the machine is silent"


def test_in_a_log_there_is_a_line_per_state_and_one_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 100.0
    with bar.shown(Terminal(json=False), now=lambda: now) as show:
        show(views.transfer())
        for now in (101.0, 102.0, 110.9, 111.0, 112.0):  # noqa: B007
            show(RUNNING)

    out, err = capsys.readouterr()
    running = f"t_1 {bar.headline(RUNNING)}  {bar.counts(RUNNING)}"
    assert out == ""
    assert err.splitlines() == ["t_1 queued", running, running]


def test_on_a_terminal_the_bar_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(json=False)
    terminal.err = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={})
    with bar.shown(terminal, now=lambda: 0.0) as show:
        show(RUNNING)

    written = terminal.err.file
    assert isinstance(written, io.StringIO)
    assert "transferring 50%" in written.getvalue()
    assert written.getvalue().endswith("\x1b[2K")  # the last line is erased, too


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 1024**4, "3.0 TiB"),
     (5000 * 1024**5, "5000.0 PiB")],
)  # fmt: skip
def test_sizes_are_written_for_people(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (372, "6m12s"), (3725, "1h02m")]
)
def test_times_are_written_for_people(seconds: int, text: str) -> None:
    assert duration(seconds) == text
