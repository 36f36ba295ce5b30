"""How offers are searched, as the compatible API's clients send it."""

import pytest

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.offer import Gpu, Hardware, ask_of, machine_of, matching

BIG = {"id": 1, "gpu_name": "RTX 4090", "gpu_ram": 24564, "num_gpus": 8, "verified": True}
SMALL = {"id": 2, "gpu_name": "RTX 3060", "gpu_ram": 12288, "num_gpus": 1, "verified": True}
BARE = {"id": 3, "gpu_name": None, "gpu_ram": 0, "num_gpus": 0, "verified": False}
ALL = [BIG, SMALL, BARE]


def ids(query) -> list[int]:
    return [each["id"] for each in matching(ALL, query)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [1, 2, 3]),
        ({"gpu_ram": {"gte": 24000.0}}, [1]),  # what `gpu_ram>=24` becomes in the client
        ({"gpu_ram": {"gte": 24}}, [1, 2]),  # and what it means without the client
        ({"num_gpus": {"eq": "1"}}, [2]),  # numbers come as texts
        ({"num_gpus": {"gt": "0", "lt": 8}}, [2]),
        ({"num_gpus": {"lte": 1}}, [2, 3]),
        ({"gpu_name": {"eq": "rtx_4090"}}, [1]),
        ({"gpu_name": {"neq": "RTX 4090"}}, [2, 3]),
        ({"gpu_name": {"in": ["RTX 4090", "RTX 3060"]}}, [1, 2]),
        ({"gpu_name": {"notin": ["RTX 4090"]}}, [2, 3]),
        ({"verified": {"eq": True}}, [1, 2]),
        ({"verified": {"eq": "false"}}, [3]),
        ({"num_gpus": 8}, [1]),
        ({"geolocation": {"eq": "DE"}}, []),  # not known is not equal
        ({"geolocation": {"notin": ["CN"]}}, [1, 2, 3]),
        ({"dlperf": {"gte": 1}}, []),
        ({"type": "on-demand", "allocated_storage": 5.0, "disable_bundling": True}, [1, 2, 3]),
        ({"order": [["num_gpus", "asc"]]}, [3, 2, 1]),
        ({"order": [["verified", "desc"], ["num_gpus", "asc"]]}, [2, 1, 3]),
        ({"order": [["score", "desc"]], "limit": "2"}, [1, 2]),
        ({"limit": 0}, []),
    ],
)
def test_a_search_finds(query, found: list[int]):
    assert ids(query) == found


@pytest.mark.parametrize(
    "query",
    [
        {"num_gpus": {"like": 1}},
        {"num_gpus": [1]},
        {"order": "score"},
        {"order": [["score"]]},
        {"order": [["score", "up"]]},
        {"limit": "many"},
        {"limit": -1},
    ],
)
def test_a_search_that_means_nothing_is_refused(query):
    with pytest.raises(Invalid) as refused:
        matching(ALL, query)
    assert refused.value.code == "bad_filter"


def test_an_asks_id_is_a_machines_and_never_an_instances():
    assert machine_of(ask_of(MachineId(7))) == 7
    assert machine_of(101) is None
    assert machine_of(10_000_000) is None


def test_what_a_host_says_is_bounded():
    told = Hardware(
        runtime="process",
        gpus=(Gpu("x" * 999, -1),) * 100,
        cpu_cores=-5,
        cpu_ram_mb=2**60,
        disk_gb=float("nan"),
    ).bounded()
    assert (len(told.gpus), len(told.gpus[0].name), told.gpus[0].ram_mb) == (64, 120, 0)
    assert (told.cpu_cores, told.cpu_ram_mb, told.disk_gb) == (0, 2**40, 0.0)
