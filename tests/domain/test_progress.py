"""Numbers for people."""

import pytest

from cloudcopy.domain.progress import Phase, Progress, Result, Verified, proportion, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3113851289, "2.9 GiB"),
        (2**60, "1024.0 PiB"),
    ],
)
def test_sizes_are_in_the_largest_unit_that_fits(count: int, text: str):
    assert size(count) == text


def test_a_proportion_is_in_the_unit_of_the_whole():
    assert proportion(1288490188, 3113851289) == "1.2/2.9 GiB"
    assert proportion(0, 10) == "0.0/10 B"


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 0, 0), (1, 2, 50), (2, 2, 99), (9, 2, 99)]
)
def test_only_the_verdict_says_a_hundred_percent(done: int, total: int, percent: int):
    assert (
        Progress(phase=Phase.TRANSFERRING, bytes_copied=done, bytes_to_copy=total).percent
        == percent
    )


def test_a_summary_says_what_was_done_and_how_it_was_proven():
    result = Result(
        found=20,
        copied=12,
        unchanged=4,
        kept=1,
        failed=3,
        skipped=(("symbolic link", 2),),
        bytes_copied=3 << 20,
        verified=Verified.HASH,
        hash="md5",
        by_hash=16,
    )
    assert result.summary == (
        "12 copied (3.0 MiB), 4 unchanged, 1 kept at the destination, "
        "2 skipped (symbolic link), 3 failed; verified by md5"
    )
    sized = Result(copied=1, verified=Verified.SIZE, by_size_only=1)
    assert sized.summary == "1 copied (0 B); verified by size only"
    assert Result().summary == "0 copied (0 B); nothing was verified"
    assert Result(dry_run=True, copied=2, bytes_copied=5).summary == (
        "dry run: 2 files (5 B) would be copied, nothing was"
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"copied": 3, "by_hash": 3, "verified": Verified.HASH}, "by md5"),
        ({"copied": 3, "by_size_only": 3, "verified": Verified.SIZE}, "by size only"),
        (
            {
                "copied": 1,
                "unchanged": 1,
                "by_hash": 1,
                "by_size_only": 1,
                "verified": Verified.HASH,
            },
            "1 by md5, 1 by size only",
        ),
        (
            {"copied": 1, "unchanged": 2, "by_hash": 1, "verified": Verified.HASH},
            "1 by md5, 2 not at all",
        ),
        ({"copied": 1}, "not at all"),
    ],
)
def test_the_proof_speaks_of_every_file(counts: dict[str, int], said: str):
    assert Result(hash="md5", **counts).proof == said
