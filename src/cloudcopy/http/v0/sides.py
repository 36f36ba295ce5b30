"""The two sides of a direct copy, as the compatible API writes them.

    101, "101", "C.101"     an instance
    "s3.1001"               connection 1001, which must be of that type
    "s3"                    the only connection of that type

What else its clients can write is refused, in words that name the way that there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from cloudcopy.control import queries
from cloudcopy.domain.connection import ALIASES, OFFERED, Connection, ConnectionId
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MAX_ID, InstanceId
from cloudcopy.http.services import Services

_LOCAL = "local"
_TYPES = ", ".join(sorted(OFFERED - {_LOCAL}))


@dataclass(frozen=True, slots=True)
class Side:
    """One side; exactly one of both is set. The connection is the caller's; whether the
    instance is, the use case says."""

    instance: InstanceId | None = None
    connection: ConnectionId | None = None


async def side(body: dict[str, Any], field: str, *, caller: Caller, app: Services) -> Side:
    """The side that `field` names.

    Raises:
        Invalid: it is missing, in no form that is served, or no connection of the caller's.
    """
    value = body.get(field)
    if value is None or value == "":
        raise Invalid(field, "is missing", code=f"missing_{field}")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _no_side(field, value)
    kind, _, id = str(value)[:80].partition(".")
    kind = kind.lower()
    if kind == _LOCAL and not id:
        refuse_local(field)
    if kind == "v":
        raise Invalid(
            field,
            f"{str(value)[:40]!r} is a volume, and volumes are not served",
            code="volume_not_served",
            next=("Name the instance that has it, C.ID, or a connection, TYPE.ID.",),
        )
    if kind == "c" or kind.isdigit():
        return Side(instance=InstanceId(_id(field, value, id if kind == "c" else str(value)[:80])))
    kind = ALIASES.get(kind, kind)
    if kind not in OFFERED:
        raise _no_side(field, value)
    if not id:
        return Side(connection=await _only(field, kind, caller=caller, app=app))
    number = _id(field, value, id)
    return Side(connection=await _one(field, number, kind, caller=caller, app=app))


def refuse_local(field: str) -> NoReturn:
    """Files of whoever asks: only an agent could reach them."""
    raise Invalid(
        field,
        "names files on your own machine, which the server cannot reach: rsync is not served",
        code="local_not_served",
        next=(
            "Run `cloudcopy agent --server URL --instance LABEL=DIR` on that machine: its "
            "directory is an instance then, and C.ID names it.",
            "Copy between it and a connection: vastai copy C.ID:/path TYPE.ID:/path",
        ),
    )


async def _one(
    field: str, number: int, kind: str, *, caller: Caller, app: Services
) -> ConnectionId:
    try:
        found = await queries.connection(number, caller=caller, desk=app.queries)
    except NotFound as error:
        raise Invalid(field, str(error), code=error.code) from None
    if found.cloud_type != kind:
        raise Invalid(
            field,
            f"connection {found.id} ({found.name}) is of type {found.cloud_type}, not {kind}",
            code="wrong_cloud_type",
            next=(f"Write {found.cloud_type}.{found.id} if that is the one you mean.",),
        )
    return found.id


async def _only(field: str, kind: str, *, caller: Caller, app: Services) -> ConnectionId:
    known = await queries.connections(caller=caller, desk=app.queries)
    found = [each for each in known if each.cloud_type == kind]
    if len(found) == 1:
        return found[0].id
    if found:
        raise Invalid(
            field,
            f"you have several connections of type {kind}",
            code="ambiguous_connection",
            next=(f"Write one of: {_listed(found)}.",),
        )
    raise Invalid(
        field,
        f"you have no connection of type {kind}",
        code="no_such_connection",
        next=(f"Your connections: {_listed(known) or 'none yet'}.",),
    )


def _listed(found: Sequence[Connection]) -> str:
    return ", ".join(f"{each.cloud_type}.{each.id} ({each.name})" for each in found[:20])


def _id(field: str, value: object, written: str) -> int:
    if not (written.isascii() and written.isdigit() and int(written) <= MAX_ID):
        raise _no_side(field, value)
    return int(written)


def _no_side(field: str, value: object) -> Invalid:
    return Invalid(
        field,
        f"{str(value)[:40]!r} names neither an instance nor a connection",
        code="bad_side",
        next=(f"Write C.ID for an instance, TYPE or TYPE.ID for a connection; TYPE is {_TYPES}.",),
    )
