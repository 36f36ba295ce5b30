"""What can be had: one offer for each machine on which instances can be created."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudcopy.control.status import silent
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MAX_INSTANCES_PER_MACHINE
from cloudcopy.domain.offer import Gpu, Hardware, ask_of, matching
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.instances import OfferSeen
from cloudcopy.ports.reads import Reads


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    reads: Reads
    now: Clock


async def search(
    query: Mapping[str, Any], *, caller: Caller, desk: Desk
) -> Sequence[Mapping[str, Any]]:
    """The caller's offers that match (`domain.offer.matching`), in the compatible API's form.

    Raises:
        Invalid: the query has another form.
    """
    found = await desk.reads.offers(caller.account)
    return matching([row(each, now=desk.now) for each in found if _awake(each, desk)], query)


def _awake(seen: OfferSeen, desk: Desk) -> bool:
    return not silent(seen.machine.seen_at, now=desk.now)


def row(seen: OfferSeen, *, now: Clock) -> dict[str, Any]:
    """An offer, with memory in MB. What is not known is left out, and shown as a dash."""
    free = seen.instances < MAX_INSTANCES_PER_MACHINE
    return {
        "id": ask_of(seen.machine.id),
        "ask_contract_id": ask_of(seen.machine.id),
        "machine_id": seen.machine.id,
        "host_id": seen.machine.account,
        "hostname": seen.machine.name,
        "runtime": seen.hardware.runtime,
        **parts(seen.hardware),
        "driver_version": seen.hardware.driver or None,
        "cpu_name": seen.hardware.cpu_name or None,
        "cpu_arch": seen.hardware.cpu_arch or None,
        "cpu_cores": seen.hardware.cpu_cores,
        "dph_base": 0.0,
        "dph_total": 0.0,
        "min_bid": 0.0,
        "storage_cost": 0.0,
        "inet_up_cost": 0.0,
        "inet_down_cost": 0.0,
        "score": float(100 * len(seen.hardware.gpus) + seen.hardware.cpu_cores),
        "rentable": free,
        "rented": False,
        "is_bid": False,
        "external": False,
        "verified": True,
        "verification": "verified",
        "start_date": seen.machine.created_at.timestamp(),
    }


def parts(hardware: Hardware | None) -> dict[str, Any]:
    """What an offer and an instance's row share of a machine's hardware."""
    if hardware is None:
        return {}
    gpu, count = _gpu(hardware)
    return {
        "num_gpus": count,
        "gpu_name": gpu.name if gpu else None,
        "gpu_arch": "nvidia" if gpu else None,
        "gpu_ram": gpu.ram_mb if gpu else 0,
        "gpu_total_ram": gpu.ram_mb * count if gpu else 0,
        "gpu_frac": 1.0,
        "cpu_cores_effective": float(hardware.cpu_cores),
        "cpu_ram": hardware.cpu_ram_mb,
        "disk_space": hardware.disk_gb,
    }


def _gpu(hardware: Hardware) -> tuple[Gpu | None, int]:
    """The kind of which there are most, and how many."""
    kinds = Counter(hardware.gpus)
    return kinds.most_common(1)[0] if kinds else (None, 0)
