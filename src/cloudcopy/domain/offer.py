"""What a machine has to offer, and how offers are searched.

Memory is in MB throughout, as the compatible API has it: an RTX 4090 has a ``gpu_ram`` of
24564. Its clients multiply and divide by 1000, not by 1024, for display.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import MachineId

FIRST_ASK: Final = 10_000_000  # an ask's id is never an instance's
MAX_GPUS: Final = 64
MAX_WORDS: Final = 120
MAX_MB: Final = 2**40

OPERATORS: Final = ("eq", "neq", "gt", "gte", "lt", "lte", "in", "notin")
# What stands beside the filters in a search and is none. Prices and regions are not known here.
_NO_FILTERS: Final = frozenset(
    {"order", "type", "limit", "allocated_storage", "disable_bundling", "target_reliability"}
    | {"extra_ids", "gpu_option", "show_incompatible", "sort_option", "template_id", "api_key"}
    | {"client_id", "select_cols", "resource_type", "q"}
)


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    ram_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine says it has.

    Attributes:
        runtime: What instances run in there: ``process`` or ``docker``.
        driver: The version of the GPUs' driver; empty without GPUs.
    """

    runtime: str
    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    cpu_name: str = ""
    cpu_arch: str = ""
    cpu_cores: int = 0
    cpu_ram_mb: int = 0
    disk_gb: float = 0.0

    def bounded(self) -> "Hardware":
        """The same within bounds: a host may say anything."""
        return replace(
            self,
            runtime=self.runtime[:MAX_WORDS],
            gpus=tuple(
                Gpu(each.name[:MAX_WORDS], _within(each.ram_mb)) for each in self.gpus[:MAX_GPUS]
            ),
            driver=self.driver[:MAX_WORDS],
            cpu_name=self.cpu_name[:MAX_WORDS],
            cpu_arch=self.cpu_arch[:MAX_WORDS],
            cpu_cores=_within(self.cpu_cores),
            cpu_ram_mb=_within(self.cpu_ram_mb),
            disk_gb=max(0.0, min(self.disk_gb, 1e9)) if self.disk_gb == self.disk_gb else 0.0,
        )


def ask_of(machine: MachineId) -> int:
    """The id of the machine's offer."""
    return FIRST_ASK + machine


def machine_of(ask: int) -> MachineId | None:
    """The machine behind an offer's id; None where it can be none."""
    return MachineId(ask - FIRST_ASK) if ask > FIRST_ASK else None


def matching(
    offers: Sequence[Mapping[str, Any]], query: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """The offers that pass every filter, in the order asked for, at most `limit` of them.

    Args:
        query: ``{"num_gpus": {"gte": "1"}, "order": [["score", "desc"]], "limit": 5}``. Numbers
            may be texts. Where an offer has no value, only ``neq`` and ``notin`` are true.

    Raises:
        Invalid: an operator, an order or a limit that is none, or a filter that is no object.
    """
    found = list(offers)
    for name, tests in query.items():
        if name in _NO_FILTERS:
            continue
        if not isinstance(tests, Mapping):
            if isinstance(tests, str | int | float):
                tests = {"eq": tests}  # noqa: PLW2901
            elif tests is None:
                continue
            else:
                raise _bad(name, 'must be {"operator": value}')
        for operator, wanted in tests.items():
            if operator not in OPERATORS:
                raise _bad(name, f"unknown operator {operator!r}; known: {', '.join(OPERATORS)}")
            found = [each for each in found if passes(each.get(name), operator, wanted)]
    return _limited(_ordered(found, query.get("order")), query.get("limit"))


def passes(value: Any, operator: str, wanted: Any) -> bool:
    """Whether one value passes one test."""
    match operator:
        case "eq":
            return value is not None and _same(value, wanted)
        case "neq":
            return not _same(value, wanted)
        case "in":
            return isinstance(wanted, list) and any(_same(value, each) for each in wanted)
        case "notin":
            return not (isinstance(wanted, list) and any(_same(value, each) for each in wanted))
    one, other = number(value), number(wanted)
    if one is None or other is None:
        return False
    return {"gt": one > other, "gte": one >= other, "lt": one < other, "lte": one <= other}[
        operator
    ]


def number(value: Any) -> float | None:
    """A number, or the text of one; None for NaN and what is larger than any float."""
    try:
        found = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(found) else found


def _same(value: Any, wanted: Any) -> bool:
    if value is None or wanted is None:
        return value is wanted
    if isinstance(value, bool):
        return str(wanted).lower() in (("true", "1", "1.0") if value else ("false", "0", "0.0"))
    if isinstance(value, str):
        return value.replace("_", " ").lower() == str(wanted).replace("_", " ").lower()
    return number(value) == number(wanted)


def _ordered(found: list[Mapping[str, Any]], order: Any) -> list[Mapping[str, Any]]:
    if order is None:
        return found
    if not isinstance(order, list):
        raise _bad("order", 'must be a list of ["field", "asc"|"desc"]')
    for key in reversed(order):
        match key:
            case [str(name), "asc" | "desc" as way]:
                _sort(found, name, backwards=way == "desc")
            case _:
                raise _bad("order", 'must be a list of ["field", "asc"|"desc"]')
    return found


def _sort(found: list[Mapping[str, Any]], name: str, *, backwards: bool) -> None:
    def place(each: Mapping[str, Any]) -> tuple[bool, float, str]:
        value = each.get(name)
        counted = number(value)
        return (value is not None, counted if counted is not None else 0.0, str(value))

    found.sort(key=place, reverse=backwards)


def _limited(found: list[Mapping[str, Any]], limit: Any) -> Sequence[Mapping[str, Any]]:
    if limit is None:
        return found
    count = number(limit)
    if count is None or not 0 <= count < math.inf or isinstance(limit, bool):
        raise _bad("limit", "must be a number above 0")
    return found[: int(min(count, 10_000))]


def _bad(field: str, problem: str) -> Invalid:
    return Invalid(field[:80], problem, code="bad_filter")


def _within(count: int) -> int:
    return max(0, min(count, MAX_MB))
