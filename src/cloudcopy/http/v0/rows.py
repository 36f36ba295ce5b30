"""An instance as the compatible API shows it: one wide row.

Only what is true here has a value. The rest is null, which the clients print as a dash,
except for the four fields that they read without asking whether they are there.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudcopy.control.offers import parts
from cloudcopy.control.status import instance_msg, shown
from cloudcopy.domain.errors import Invalid
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import InstanceSeen

Row = dict[str, Any]

FOREVER: Final = 4102444800.0  # 2100-01-01 UTC: `end_date` must be a number, and nothing ends here
_UNKNOWN: Final = (
    *("gpu_name", "num_gpus", "gpu_util", "gpu_ram", "gpu_temp"),
    *("cpu_cores_effective", "cpu_ram", "cpu_util", "mem_usage", "mem_limit"),
    *("disk_space", "disk_usage", "disk_util", "dph_total", "inet_up", "inet_down"),
    *("reliability2", "uptime_mins", "image_uuid", "image_runtype", "ssh_host", "ssh_port"),
    *("verification", "public_ipaddr"),
)

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "neq": lambda value, wanted: bool(value != wanted),
    "in": lambda value, wanted: isinstance(wanted, list) and value in wanted,
    "notin": lambda value, wanted: isinstance(wanted, list) and value not in wanted,
    "gt": lambda value, wanted: value is not None and bool(value > wanted),
    "gte": lambda value, wanted: value is not None and bool(value >= wanted),
    "lt": lambda value, wanted: value is not None and bool(value < wanted),
    "lte": lambda value, wanted: value is not None and bool(value <= wanted),
}


def row(seen: InstanceSeen, *, now: Clock) -> Row:
    """The whole row of one instance."""
    instance = seen.instance
    status = shown(seen, now=now)
    return {
        **dict.fromkeys(_UNKNOWN),
        **_of_created(seen),
        "id": instance.id,
        "machine_id": instance.machine,
        "label": instance.label,
        "actual_status": status,
        "cur_state": status,
        "intended_status": (
            instance.created.intended if instance.created else instance.actual_status
        ),
        "status_msg": instance_msg(seen),
        "start_date": instance.created_at.timestamp(),
        "end_date": FOREVER,
        "extra_env": [],
        "ports": {},
    }


def _of_created(seen: InstanceSeen) -> Row:
    """What only an instance has that was created here."""
    created = seen.instance.created
    if created is None:
        return {}
    return {
        **parts(seen.hardware),
        "disk_space": created.disk_gb,
        "image_uuid": created.image or None,
        "image_args": list(created.args),
        "onstart": created.onstart or None,
        "dph_total": 0.0,
        "next_state": created.intended,
    }


def chosen(rows: list[Row], filters: Any, order_by: Any) -> list[Row]:
    """The rows that pass `filters`, in the order asked for.

    Args:
        filters: ``{"label": {"in": ["a"]}}``.
        order_by: ``[{"col": "id", "dir": "asc"}]``.

    Raises:
        Invalid: either has another form or an unknown operator.
    """
    if not isinstance(filters, dict) or not isinstance(order_by, list):
        raise Invalid("select_filters", "must be an object, and order_by a list", code="bad_filter")
    for column, tests in filters.items():
        for operator, wanted in _tests(tests):
            rows = [each for each in rows if _passes(each.get(column), operator, wanted)]
    for key in reversed(order_by):
        if not isinstance(key, dict) or not isinstance(key.get("col"), str):
            raise Invalid("order_by", 'must hold {"col", "dir"} objects', code="bad_filter")
        column = key["col"]
        rows = sorted(
            rows,
            key=lambda each: (
                (each.get(column) is None, str(each.get(column)))
                if not isinstance(each.get(column), int | float)
                else (False, f"{each[column]:032.6f}")
            ),
            reverse=key.get("dir") == "desc",
        )
    return rows


def _tests(tests: Any) -> list[tuple[str, Any]]:
    if not isinstance(tests, dict):
        return [("eq", tests)]
    unknown = tests.keys() - _OPERATORS.keys()
    if unknown:
        raise Invalid("select_filters", f"unknown operator {min(unknown)!r}", code="bad_filter")
    return list(tests.items())


def _passes(value: Any, operator: str, wanted: Any) -> bool:
    try:
        return _OPERATORS[operator](value, wanted)
    except TypeError:
        raise Invalid(
            "select_filters", f"{wanted!r} cannot be compared with {value!r}", code="bad_filter"
        ) from None


def parsed(text: str | None, default: Any, *, field: str) -> Any:
    """A query parameter that holds JSON.

    Raises:
        Invalid: it does not.
    """
    if not text:
        return default
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(field, "is not JSON", code="bad_json") from None
