"""What may be asked of a created instance, and what a report of its machine changes.

EXITED, UNKNOWN and OFFLINE are ends: a script that polls for "running" must be able to rely
on them. Nothing but destroying leads out of one.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.machine import ActualStatus, Created, Instance, Intended

MAX_ONSTART: Final = 4048  # characters; the compatible API's own bound
MAX_LABEL: Final = 120
MAX_IMAGE: Final = 512
MAX_TEXT: Final = 2_000
MAX_ENV: Final = 64
MAX_ENV_CHARACTERS: Final = 16_384
MAX_ARGS: Final = 64
MAX_ARG: Final = 4_096
MAX_ARGS_CHARACTERS: Final = 16_384  # together
MAX_DISK_GB: Final = 1_000_000.0

ENDS: Final = frozenset({ActualStatus.EXITED, ActualStatus.UNKNOWN, ActualStatus.OFFLINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What somebody wants to be created, checked.

    Attributes:
        env: The environment of what runs in it; may hold secrets.
    """

    label: str = ""
    image: str = ""
    onstart: str = ""
    args: tuple[str, ...] = ()
    disk_gb: float = 0.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    running: bool = True

    def checked(self) -> "NewInstance":
        """Itself.

        Raises:
            Invalid: a value breaks a rule. Nothing is ever shortened.
        """
        any_label(self.label, field="label")
        check_onstart(self.onstart)
        if len(self.image) > MAX_IMAGE or not self.image.isprintable():
            raise Invalid("image", f"must be at most {MAX_IMAGE} printable characters")
        if not 0 <= self.disk_gb <= MAX_DISK_GB:
            raise Invalid("disk", f"must be 0 to {MAX_DISK_GB:.0f} GB")
        if len(self.args) > MAX_ARGS or any(len(each) > MAX_ARG for each in self.args):
            raise Invalid("args", f"must be at most {MAX_ARGS} texts of {MAX_ARG} characters")
        if sum(map(len, self.args)) > MAX_ARGS_CHARACTERS:
            raise Invalid("args", f"must be at most {MAX_ARGS_CHARACTERS} characters together")
        if not all(map(_for_programs, self.args)):
            raise Invalid("args", "has a NUL or an unpaired surrogate")
        _check_env(self.env)
        return self


def check_onstart(text: str) -> None:
    """Raises Invalid for a script that is too long, or that no shell could be given."""
    if len(text) > MAX_ONSTART:
        raise Invalid(
            "onstart",
            f"has {len(text)} characters; the limit is {MAX_ONSTART}",
            code="onstart_too_long",
            next=(
                "Fetch a longer script from somewhere, or send it compressed: "
                "gzip -9 < script | base64 -w0, and onstart: echo TEXT | base64 -d | gunzip | sh.",
            ),
        )
    if not _for_programs(text):
        raise Invalid("onstart", "has a NUL or an unpaired surrogate")


def _for_programs(text: str) -> bool:
    """Whether a program can be given it, and a machine told of it."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def any_label(text: str, *, field: str) -> str:
    """A label for people; empty means none.

    Raises:
        Invalid: it is too long, unprintable, or would be read as an id.
    """
    if len(text) > MAX_LABEL or any(unicodedata.category(char)[0] == "C" for char in text):
        raise Invalid(field, f"must be at most {MAX_LABEL} printable characters")
    if text.isdigit():
        raise Invalid(field, f"{text!r} is all digits and would be read as an id")
    return text


def _check_env(env: Mapping[str, str]) -> None:
    if len(env) > MAX_ENV or sum(len(k) + len(v) for k, v in env.items()) > MAX_ENV_CHARACTERS:
        raise Invalid(
            "env", f"must be at most {MAX_ENV} variables, {MAX_ENV_CHARACTERS} characters together"
        )
    for name, value in env.items():
        if not name or "=" in name:
            raise Invalid("env", "has a name that is empty or has '='")
        if not _for_programs(name + value):
            raise Invalid("env", "has a NUL or an unpaired surrogate")


def started(instance: Instance) -> Instance:
    """Wanted running; the same again changes nothing.

    Raises:
        Conflict: it was announced, or it has ended for good.
    """
    created = _changeable(instance, "started")
    if created.intended is Intended.RUNNING:
        return instance
    booted = replace(created, intended=Intended.RUNNING, boot=created.boot + 1, text="")
    return replace(instance, created=booted, actual_status=ActualStatus.LOADING)


def stopped(instance: Instance) -> Instance:
    """Wanted stopped; the same again changes nothing. Raises Conflict as `started` does."""
    created = _changeable(instance, "stopped")
    return replace(instance, created=replace(created, intended=Intended.STOPPED))


def rebooted(instance: Instance) -> Instance:
    """Stopped and started once more.

    Raises:
        Conflict: as `started`, and for one that is stopped.
    """
    created = _changeable(instance, "rebooted")
    if created.intended is Intended.STOPPED:
        raise Conflict(
            f"Instance {instance.id} is stopped, so it cannot be rebooted.",
            code="instance_stopped",
            next=("Start it instead.",),
        )
    booted = replace(created, boot=created.boot + 1, text="")
    return replace(instance, created=booted, actual_status=ActualStatus.REBOOTING)


def destroyed(instance: Instance) -> Instance:
    """Wanted gone, with all that is in it. Raises Conflict for one that was announced."""
    created = _created(instance, "destroyed")
    return replace(instance, created=replace(created, intended=Intended.DESTROYED))


def labelled(instance: Instance, label: str) -> Instance:
    """Called otherwise.

    Raises:
        Conflict: it was announced.
        Invalid: it is no label.
    """
    _created(instance, "given another label")
    return replace(instance, label=any_label(label, field="label"))


def reported(instance: Instance, *, boot: int, actual_status: ActualStatus, text: str) -> Instance:
    """After what its machine says. The same object where that is old, or tells nothing new."""
    created = instance.created
    if created is None or boot != created.boot or instance.actual_status in ENDS:
        return instance
    told = replace(created, text=text[:MAX_TEXT])
    return replace(instance, created=told, actual_status=actual_status)


def _created(instance: Instance, done: str) -> Created:
    if instance.created is None:
        raise Conflict(
            f"Instance {instance.id} was announced by its machine, so it cannot be {done} here.",
            code="instance_announced",
            next=("Change the --instance options of the agent on that machine.",),
        )
    return instance.created


def _changeable(instance: Instance, done: str) -> Created:
    created = _created(instance, done)
    if instance.actual_status in ENDS:
        why = f" ({created.text.rstrip('.')})" if created.text else ""
        raise Conflict(
            f"Instance {instance.id} is {instance.actual_status} and stays so{why}; "
            f"it cannot be {done}.",
            code="instance_ended",
            next=("Copy from it what you need, destroy it, and create another.",),
        )
    return created
