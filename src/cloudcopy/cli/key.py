"""`cloudcopy key`."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.exits import Refused

app = App(name="key", help_epilogue="")

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FOR_ONE_INSTANCE: Final = ("instance_read", "instance_write")


@app.command
def create(
    name: Annotated[str, Parameter(help="What the key is for; to know it again in the list.")],
    /,
    *,
    permission: Annotated[
        tuple[str, ...],
        Parameter(
            name="--permission",
            negative=(),
            help="A category that it may use, such as instance_read. Repeat for more; "
            "without any it may do everything.",
        ),
    ] = (),
    permissions: Annotated[
        Path | None,
        Parameter(name="--permissions", help="A file with the permissions as JSON, instead."),
    ] = None,
    instance: Annotated[
        str | None,
        Parameter(
            name="--instance",
            help="The only instance, by id or label, that instance_read and instance_write "
            "are for.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        Parameter(
            name="--expires", help="When: 45m, 12h, 30d, 8w, or a time such as 2030-01-31T00:00Z."
        ),
    ] = None,
    rate: Annotated[
        float | None, Parameter(name="--rate", help="How often it may be used in a second.")
    ] = None,
    burst: Annotated[
        int | None, Parameter(name="--burst", help="How often at once after a pause.")
    ] = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """Make an API key; it is printed this once.

    The key is the only thing on stdout. It can do nothing that the key in
    CLOUDCOPY_API_KEY cannot do.
    """

    async def work(session: Session) -> int:
        asked = await asyncio.to_thread(_permissions, permission, permissions, instance)
        at, later = _expiry(expires)
        if asked is not None and instance is not None:
            found = await session.client.instances.find(instance)
            for category in _FOR_ONE_INSTANCE:
                if category in asked["api"]:
                    asked["api"][category] = {"constraints": {"id": {"eq": found.id}}}
        made = await session.client.keys.create(
            name=name,
            permissions=asked,
            expires_at=at,
            expires_in=later,
            requests_per_second=rate,
            burst=burst,
        )
        if options.json:
            session.terminal.data(made.model_dump(mode="json"))
            return exits.DONE
        session.terminal.line(made.key)
        session.terminal.say(
            f"This is the only time it is shown. Revoke it with: cloudcopy key revoke {made.id}"
        )
        return exits.DONE

    return Call(options, work)


def _permissions(
    names: Sequence[str], file: Path | None, instance: str | None
) -> dict[str, Any] | None:
    """Raises Refused: they are said twice, cannot be read, or name nothing for an instance."""
    if file is not None:
        if names or instance is not None:
            raise Refused("--permissions says everything; leave --permission and --instance out.")
        return _in_file(file)
    if instance is not None and not set(names) & set(_FOR_ONE_INSTANCE):
        raise Refused(
            "--instance limits a permission, and there is none to limit.",
            next=("Add --permission instance_read or --permission instance_write.",),
        )
    return {"api": {each: {} for each in names}} if names else None


def _in_file(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise Refused(f"The permissions in {file} cannot be read: {reason}.") from None
    if not isinstance(found, dict):
        raise Refused(
            f"The permissions in {file} are no JSON object.",
            next=('Write them like this: {"api": {"instance_read": {}}}',),
        )
    return found


def _expiry(text: str | None) -> tuple[datetime | None, timedelta | None]:
    """A moment, or how long from now.

    Raises:
        Refused: it is neither.
    """
    if text is None:
        return None, None
    if (match := re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text, re.ASCII)) is not None:
        return None, timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refused(
            f"--expires {text!r} is neither a length of time nor a time with its zone.",
            next=("Write --expires 30d, or --expires 2030-01-31T00:00Z.",),
        )
    return at, None


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List API keys, without the keys themselves."""

    async def work(session: Session) -> int:
        found = await session.client.keys.list()
        session.terminal.many(
            found,
            ("ID", "NAME", "MAY", "CREATED", "EXPIRES", "LAST USED", "REVOKED"),
            [
                (
                    each.id,
                    each.name,
                    _may(each.permissions),
                    each.created_at,
                    each.expires_at,
                    each.last_used_at,
                    each.revoked_at,
                )
                for each in found
            ],
            none="There are no keys.",
        )
        return exits.DONE

    return Call(options, work)


def _may(permissions: Mapping[str, Any] | None) -> str:
    """The categories; those that are given in part have a star."""
    if permissions is None:
        return "everything"
    return ", ".join(f"{name}*" if inside else name for name, inside in permissions["api"].items())


@app.command
def revoke(
    id: Annotated[str, Parameter(help="The key's id, as the list shows it.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Make an API key useless from now on, and those that were made with it."""

    async def work(session: Session) -> int:
        await session.client.keys.revoke(id)
        session.terminal.say(f"Key {id} is revoked, and so is what was made with it.")
        return exits.DONE

    return Call(options, work)
