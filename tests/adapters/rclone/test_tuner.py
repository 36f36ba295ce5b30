"""The choice in rclone's words, what is learnt from calls, and what limits them."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.limiter import Limiter
from cloudcopy.adapters.rclone.tuner import FIRST_NAMES, Tuner, Unmeasured
from cloudcopy.domain.connection import backend
from cloudcopy.domain.experience import Learnt
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Direction
from cloudcopy.domain.pacing import Pacing
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.providers import GIB
from cloudcopy.domain.tuning import Capacity, Sizes
from cloudcopy.ports.engine import Copy
from cloudcopy.ports.experience import Load

KEYS = {"access_key_id": "AKIA-SECRET", "secret_access_key": "hush"}
SMALL = Sizes(files=10_000, bytes=10_000, largest=1)
LARGE = Sizes(files=1, bytes=GIB, large=1, largest=GIB)


def copy(*flags: str, **options: str) -> Copy:
    return Copy(
        transfer="t_1",
        root=Path("/box"),
        direction=Direction.TO_CLOUD,
        local=InstancePath("data"),
        remote=RemotePath("bucket/data"),
        flags=Flags.parse(flags),
        backend=backend("s3", {**KEYS, **options}),
        ledger=Path("/ledger"),
    )


def tuner(of: Copy | None = None, *, learnt: Learnt | None = None, cap: int = 128) -> Tuner:
    return Tuner(
        copy=of or copy(),
        capacity=Capacity(cores=4, memory=32 * GIB),
        learnt=learnt or Learnt(),
        monotonic=lambda: 0.0,
        cap=cap,
    )


def test_the_numbers_go_with_the_call_and_the_options_with_the_name():
    made = tuner()
    made.choose(LARGE)
    config = made.config()
    assert config["Transfers"] == 1
    assert config["BufferSize"] == 16 << 20
    opened = made.opened("R:bucket/data/")
    assert opened == "R,chunk_size=16777216B,upload_concurrency=8,no_head=true:bucket/data/"


@pytest.mark.parametrize("fs", ["/data", "R,vendor=rclone:data/", "/store/R:x"])
def test_what_is_not_the_plain_store_keeps_its_name(fs):
    assert tuner().opened(fs) == fs


def test_no_secret_is_ever_in_a_name():
    made = tuner(copy(session_token="hush hush"))
    made.choose(LARGE)
    assert "hush" not in made.opened("R:bucket/")


def test_calls_by_name_grow_up_to_the_most():
    made = tuner()
    assert made.names_at_once(50_000) == FIRST_NAMES
    for _ in range(5):
        made.called(files=0, bytes=0, seconds=0.0, throttled=False)
    assert made.names_at_once(50_000) == 50_000


def test_a_refusal_halves_the_next_call_and_is_remembered():
    made = tuner()
    made.choose(SMALL)
    made.called(files=10, bytes=10, seconds=3.0, throttled=True)
    assert made.config()["Transfers"] == 32
    assert made.throttled == 1
    pace = made.lesson().paces["small up"]
    assert (pace.files, pace.ceiling) == (32, 32)


def test_what_was_best_before_is_where_the_next_copy_begins():
    known = Learnt(paces={"small up": Pacing(files=96, best=96, best_rate=5.0, settled=True)})
    made = tuner(learnt=known)
    made.choose(SMALL)
    assert made.config()["Transfers"] == 96
    made.choose(LARGE)
    assert made.config()["Transfers"] == 1


def test_a_few_files_teach_nothing_about_many():
    made = tuner()
    made.choose(Sizes(files=3, bytes=3, largest=1))
    made.called(files=3, bytes=3, seconds=5.0, throttled=False)
    assert made.lesson().paces == {}


def test_a_cap_teaches_nothing_and_is_named():
    asked = tuner(copy("--transfers=2"))
    asked.choose(SMALL)
    asked.called(files=1000, bytes=1000, seconds=10.0, throttled=False)
    assert asked.lesson().paces == {}
    assert asked.files_cap == "--transfers 2"
    capped = tuner(cap=5)
    capped.choose(SMALL)
    assert capped.config()["Transfers"] == 5
    assert capped.files_cap == "--max-concurrency 5"
    assert tuner().files_cap == ""


def test_the_first_answer_is_taken_apart_into_its_round_trips():
    plain = tuner(copy(endpoint="http://store"))
    plain.asked(0.06)
    assert plain.round_trip == pytest.approx(0.03)
    secure = tuner()
    secure.asked(0.09)
    assert secure.lesson().round_trip == pytest.approx(0.03)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


async def test_the_end_tells_what_was_true_for_most_of_the_time():
    made = tuner(copy("--bwlimit=1M"))
    limiter = Limiter(made, Unmeasured(), 1, Clock())
    assert await limiter.look(rate=0.0, copied=0, in_flight=1) == ""
    assert limiter.mostly == ""
    slow = await limiter.look(rate=10.0, copied=0, in_flight=1)
    assert slow == "the network or the store (10 B/s)"
    for _ in range(2):
        await limiter.look(rate=1048576.0, copied=0, in_flight=1)
    assert limiter.mostly == "your cap (--bwlimit 1M)"


async def test_the_limit_of_the_transfer_is_named_in_the_place_of_the_flag():
    limited = replace(copy("--bwlimit=1M"), pace=lambda: 2048)
    limiter = Limiter(tuner(limited), Unmeasured(), 1, Clock())
    await limiter.look(rate=0.0, copied=0, in_flight=1)
    told = await limiter.look(rate=2000.0, copied=0, in_flight=1)
    assert told == "your cap (bandwidth limit 2.0 KiB/s)"


async def test_a_refusal_explains_half_a_minute():
    made, clock = tuner(), Clock()
    limiter = Limiter(made, Unmeasured(), 1, clock)
    await limiter.look(rate=0.0, copied=0, in_flight=1)
    made.called(files=0, bytes=0, seconds=0.0, throttled=True)
    assert "throttling" in await limiter.look(rate=0.0, copied=0, in_flight=1)
    clock.now += 60
    assert "throttling" not in await limiter.look(rate=0.0, copied=0, in_flight=1)


class Busy(Unmeasured):
    seconds = 0.0

    def load(self, pid: int) -> Load:
        self.seconds += 3.9
        return Load(busy_seconds=self.seconds)


async def test_cores_are_counted_between_two_looks():
    limiter = Limiter(tuner(), Busy(), 1, Clock())
    await limiter.look(rate=0.0, copied=0, in_flight=1)
    told = await limiter.look(rate=0.0, copied=0, in_flight=1)
    assert told == "CPU of this machine (98 % of 4 cores busy)"
