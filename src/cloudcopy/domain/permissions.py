"""What an API key may do, in the words of the compatible API.

    {"api": {"instance_read": {}, "instance_write": {"constraints": {"id": {"eq": 101}}}}}

Null, or nothing, is everything. Otherwise only the categories that are named are given, each

* whole: ``{}``;
* whole, for some instances: ``{"constraints": {"id": {"gte": 101, "lte": 109}}}``;
* or only some of its endpoints: ``{"api.instance.request_logs": {}}``, each of which may
  have constraints of its own.

The public documents show the first and the last form. What they leave open is decided so that
nothing is ever given by mistake: a category, an endpoint, a constraint or an operator that is
not known here is refused, and so is an object that names nothing at all. Only instances have
ids that can be constrained; several operators on an id must hold together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import MAX_ID

FIELD: Final = "permissions"


class Category(StrEnum):
    INSTANCE_READ = "instance_read"
    INSTANCE_WRITE = "instance_write"
    USER_READ = "user_read"
    USER_WRITE = "user_write"
    BILLING_READ = "billing_read"
    BILLING_WRITE = "billing_write"
    MACHINE_READ = "machine_read"
    MACHINE_WRITE = "machine_write"
    TEAM_READ = "team_read"
    TEAM_WRITE = "team_write"
    MISC = "misc"


# Names are only ever added: a key that was made with one must keep its meaning.
ENDPOINTS: Final[Mapping[Category, tuple[str, ...]]] = {
    Category.INSTANCE_READ: (
        "api.instance.show",
        "api.instance.request_logs",
        "api.transfer.show",
        "api.schedule.show",
        "api.offer.show",
    ),
    Category.INSTANCE_WRITE: (
        "api.instance.copy",
        "api.instance.cancel_copy",
        "api.schedule.change",
        "api.plan.approve",
        "api.instance.create",
        "api.instance.change",
        "api.instance.destroy",
        "api.instance.command",
    ),
    Category.USER_READ: (
        "api.user.show",
        "api.connection.show",
        "api.key.show",
        "api.ssh_key.show",
    ),
    Category.USER_WRITE: ("api.connection.change", "api.key.change", "api.ssh_key.change"),
    Category.MACHINE_READ: ("api.machine.show",),
    Category.MACHINE_WRITE: ("api.machine.change",),
    Category.TEAM_READ: ("api.account.show",),
    Category.TEAM_WRITE: ("api.account.change",),
}
_CONSTRAINED: Final = (Category.INSTANCE_READ, Category.INSTANCE_WRITE)


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids from `least` to `most`, both among them; None is no bound."""

    least: int | None = None
    most: int | None = None

    def __contains__(self, id: int) -> bool:
        return (self.least is None or id >= self.least) and (self.most is None or id <= self.most)

    def __str__(self) -> str:
        match self.least, self.most:
            case None, None:
                return "any"
            case None, most:
                return f"up to {most}"
            case least, None:
                return f"from {least} on"
            case least, most:
                return str(least) if least == most else f"{least} to {most}"

    def covers(self, other: "Ids") -> bool:
        """Whether every id of `other` is one of these."""
        low = self.least is None or (other.least is not None and other.least >= self.least)
        high = self.most is None or (other.most is not None and other.most <= self.most)
        return low and high


ANY: Final = Ids()


@dataclass(frozen=True, slots=True)
class Grant:
    """What is given of one category.

    Attributes:
        ids: The instances for which all of it is given, where `only` is None.
        only: The endpoints that are given, each with its instances.
    """

    ids: Ids = ANY
    only: Mapping[str, Ids] | None = None

    def of(self, endpoint: str | None) -> Ids | None:
        """For which ids the endpoint is given; None: it is not. An endpoint that has no name
        is given with its whole category only."""
        if self.only is None:
            return self.ids
        return self.only.get(endpoint) if endpoint else None

    def covers(self, other: "Grant") -> bool:
        """A list of endpoints never covers the whole category, not even when it names all that
        there are: the category grows with the API, and the list does not."""
        if other.only is None:
            return self.only is None and self.ids.covers(other.ids)
        mine = {endpoint: self.of(endpoint) for endpoint in other.only}
        return all(ids is not None and ids.covers(other.only[name]) for name, ids in mine.items())


@dataclass(frozen=True, slots=True)
class Permissions:
    """Everything that a key may do; `grants` is None for a key that may do all."""

    grants: Mapping[Category, Grant] | None = None

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read the JSON value that a caller sent, or that was stored.

        Raises:
            Invalid: ``bad_permissions``: says what is not known, and what is.
        """
        if value is None:
            return cls()
        inside = _object(value, FIELD)
        if set(inside) != {"api"}:
            raise _bad('must be {"api": {CATEGORY: {}, ...}} and nothing beside it')
        categories = _object(inside["api"], f"{FIELD}.api")
        if not categories:
            raise _bad("names no category", "Leave it out for a key that may do everything.")
        return cls({_category(name): _grant(name, each) for name, each in categories.items()})

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Whole categories, by name.

        Raises:
            Invalid: ``bad_permissions``: one is not known, or there is none.
        """
        return cls.parse({"api": {name: {} for name in names}})

    def as_json(self) -> dict[str, Any] | None:
        """Equal for equal permissions, in whatever order and spelling they came."""
        if self.grants is None:
            return None
        return {"api": {each.value: _shown(self.grants[each]) for each in sorted(self.grants)}}

    def reach(self, category: Category, endpoint: str | None = None) -> Ids | None:
        """The instances for which this may be done; None: it may not be done at all."""
        if self.grants is None:
            return ANY
        grant = self.grants.get(category)
        return None if grant is None else grant.of(endpoint)

    def allows(
        self, category: Category, endpoint: str | None = None, ids: Iterable[int] = ()
    ) -> bool:
        """Whether this may be done to all of these instances."""
        reach = self.reach(category, endpoint)
        return reach is not None and all(id in reach for id in ids)

    def covers(self, other: "Permissions") -> bool:
        """Whether `other` allows nothing that these do not, now and when the API has grown."""
        if self.grants is None or other.grants is None:
            return self.grants is None
        mine = self.grants
        return all(name in mine and mine[name].covers(each) for name, each in other.grants.items())


FULL: Final = Permissions()


def _category(name: str) -> Category:
    try:
        return Category(name)
    except ValueError:
        raise _bad(f"there is no category {name[:40]!r}", _among(Category)) from None


def _grant(name: str, value: object) -> Grant:
    category = _category(name)
    inside = _object(value, f"{FIELD}.api.{name}")
    if "constraints" in inside:
        if len(inside) > 1:
            raise _bad(f"{name} has constraints and endpoints; put the constraints into each")
        return Grant(_ids(category, inside["constraints"]))
    if not inside:
        return Grant()
    return Grant(only={each: _endpoint(category, each, inside[each]) for each in sorted(inside)})


def _endpoint(category: Category, name: str, value: object) -> Ids:
    known = ENDPOINTS.get(category, ())
    if name not in known:
        raise _bad(f"{category} has no endpoint {name[:80]!r}", _among(known))
    inside = _object(value, f"{category}.{name}")
    if not inside:
        return ANY
    if set(inside) != {"constraints"}:
        raise _bad(f"{name} can hold 'constraints' and nothing else")
    return _ids(category, inside["constraints"])


def _ids(category: Category, value: object) -> Ids:
    constraints = _object(value, f"constraints of {category}")
    if category not in _CONSTRAINED:
        raise _bad(f"{category} cannot have constraints", _among(_CONSTRAINED))
    if set(constraints) != {"id"}:
        raise _bad(f"constraints of {category} must be on 'id', the instance's, and nothing else")
    bounds = _object(constraints["id"], f"constraint on the id of {category}")
    unknown = sorted(set(bounds) - {"eq", "lte", "gte"})
    if unknown or not bounds:
        what = f"{unknown[0][:40]!r} is no operator" if unknown else "there is no operator"
        raise _bad(f"{what} in the constraint of {category}", _among(("eq", "gte", "lte")))
    low = [_id(name, bounds[name]) for name in ("eq", "gte") if name in bounds]
    high = [_id(name, bounds[name]) for name in ("eq", "lte") if name in bounds]
    ids = Ids(max(low, default=None), min(high, default=None))
    if ids.least is not None and ids.most is not None and ids.least > ids.most:
        raise _bad(f"no id can be what the constraint of {category} wants")
    return ids


def _id(operator: str, value: object) -> int:
    """A number or its decimal text, as ids are everywhere in the compatible API."""
    written = "" if isinstance(value, bool) else str(value)[:40]
    if not (
        isinstance(value, int | str)
        and written.isascii()
        and written.isdigit()
        and int(written) <= MAX_ID
    ):
        raise _bad(f"{operator} must be an id, a whole number")
    return int(written)


def _shown(grant: Grant) -> dict[str, Any]:
    if grant.only is None:
        return _bounds(grant.ids)
    return {name: _bounds(grant.only[name]) for name in sorted(grant.only)}


def _bounds(ids: Ids) -> dict[str, Any]:
    if ids == ANY:
        return {}
    if ids.least == ids.most:
        return {"constraints": {"id": {"eq": ids.least}}}
    bounds = {"gte": ids.least, "lte": ids.most}
    return {"constraints": {"id": {key: each for key, each in bounds.items() if each is not None}}}


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{place[:80]} must be a JSON object")
    return value


def _among(known: Iterable[str]) -> str:
    return f"Known are: {', '.join(known) or 'none'}."


def _bad(problem: str, next: str = "") -> Invalid:
    return Invalid(FIELD, problem, code="bad_permissions", next=(next,) if next else ())
