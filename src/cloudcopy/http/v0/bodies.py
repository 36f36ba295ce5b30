"""Reading the compatible API's loose bodies: one clear refusal for each wrong field."""

import json
import math
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import MAX_ID, InstanceId
from cloudcopy.wire.text import HALF, half_character


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """The request body for the served document; the routes read it themselves."""
    schema = model.model_json_schema()
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


async def read(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object.

    Raises:
        Invalid: it is not JSON, or not an object, or a text in it is none.
    """
    raw = await request.body()
    if not raw:
        return {}
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        raise Invalid("body", "is not JSON", code="bad_json") from None
    if not isinstance(parsed, dict):
        raise Invalid("body", "must be a JSON object", code="bad_json")
    place = half_character(parsed)
    if place is not None:
        raise Invalid(place[:80], HALF, code="bad_text")
    return parsed


def text(body: dict[str, Any], field: str) -> str:
    """A required text.

    Raises:
        Invalid: it is missing, null, or something else. An option that was not given on the
            command line arrives as null.
    """
    value = body.get(field)
    if value is None:
        raise Invalid(field, "is missing", code=f"missing_{field}")
    if not isinstance(value, str):
        raise Invalid(field, "must be a string", code=f"bad_{field}")
    return value


def id_(body: dict[str, Any], field: str, *, code: str) -> int:
    """A required id: a number or its decimal text, also in the forms ``C.101`` and ``101:/path``.

    Raises:
        Invalid: it is missing or no id.
    """
    value = body.get(field)
    if value is None or value == "":
        raise Invalid(field, "is missing", code=f"missing_{field}")
    written = "" if isinstance(value, bool) else str(value)[:80]
    written = written.partition(":")[0].removeprefix("C.")
    if not (written.isascii() and written.isdigit() and int(written) <= MAX_ID):
        raise Invalid(field, f"{str(value)[:40]!r} is not an id", code=code)
    return int(written)


def flags(body: dict[str, Any]) -> list[str]:
    """The flags' words; absent or null is none.

    Raises:
        Invalid: it is not a list of strings.
    """
    value = body.get("flags")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise Invalid("flags", "must be a list of strings", code="bad_flag")
    return value


def optional(body: dict[str, Any], field: str) -> str:
    """A text that may be missing or null; then it is empty. Numbers are taken as their text.

    Raises:
        Invalid: it is something else.
    """
    value = body.get(field)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise Invalid(field, "must be a string", code=f"bad_{field}")
    return str(value)


def number(body: dict[str, Any], field: str, otherwise: float) -> float:
    """A number, or its text; missing or null is `otherwise`.

    Raises:
        Invalid: it is neither, or not finite.
    """
    value = body.get(field)
    if value is None:
        return otherwise
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise Invalid(field, "must be a number", code=f"bad_{field}")
    return found


def texts(body: dict[str, Any], field: str) -> list[str]:
    """A list of texts; missing or null is none. Raises Invalid."""
    value = body.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Invalid(field, "must be a list of strings", code=f"bad_{field}")
    return value


def texts_by_name(body: dict[str, Any], field: str) -> dict[str, str]:
    """An object whose values are texts or numbers; missing or null is empty. Raises Invalid."""
    value = body.get(field)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(each, str | int | float) for each in value.values()
    ):
        raise Invalid(field, "must be an object of strings", code=f"bad_{field}")
    return {name: str(each) for name, each in value.items()}


def ids(body: dict[str, Any], field: str) -> list[InstanceId]:
    """A list of instances' ids, each as `id_` takes it; not empty. Raises Invalid."""
    value = body.get(field)
    if value is None:
        raise Invalid(field, "is missing", code=f"missing_{field}")
    if not isinstance(value, list) or not value:
        raise Invalid(field, "must be a list of ids", code=f"bad_{field}")
    return [InstanceId(id_({field: each}, field, code="no_such_instance")) for each in value]


def instance_id(text: str) -> InstanceId:
    """The instance in an address. Raises Invalid."""
    return InstanceId(id_({"id": text}, "id", code="no_such_instance"))
