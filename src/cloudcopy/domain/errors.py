"""Every error this product raises on purpose, in one tree.

CloudCopyError
    Rejected                the caller asked for something that cannot be done
        Invalid             a value breaks a rule (path, flag, parameter)
        NotFound            no such transfer, connection, instance, machine or key
          Destroyed         the instance was there, and was destroyed
        Conflict            the thing exists, but not in a state that allows this
        Unauthenticated     no key, or one we do not know
        Forbidden           the key is known and may not do this
            NotApproved     somebody else must approve this first
        StoreUnreachable    the cloud store refused us or could not be reached
    Unavailable             the request is sound; we cannot serve it right now
        TooMany             the caller has as many of these at once as it may

Only `cloudcopy.http.errors` knows status codes and only `cloudcopy.cli.exits`
knows exit codes. Adapters translate what their library raises into one of these at
their own edge, with `raise ... from`. Anything else that reaches the edge is a
defect: it is logged with its traceback and answered as 500.
"""

from typing import ClassVar


class CloudCopyError(Exception):
    """Root of the tree. Never raised itself.

    Attributes:
        code: Stable machine name sent to clients; never reworded once released.
        retryable: The same request may succeed later without being changed.
        next: What the caller can do now, one imperative sentence each.
    """

    code: str = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, next: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.next = next


class Rejected(CloudCopyError):
    """The caller can fix this by asking differently."""


class Invalid(Rejected):
    """A value breaks a rule.

    Attributes:
        field: Which input, in the API's own spelling, e.g. ``"src"``.
    """

    code = "invalid"

    def __init__(
        self, field: str, problem: str, *, code: str = "invalid", next: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{field}: {problem}", next=next)
        self.field = field
        self.code = code


class NotFound(Rejected):
    """Nothing of that kind has this id, or it belongs to somebody else.

    The two are never told apart: an id must not reveal what others own.
    """

    code = "not_found"

    def __init__(self, kind: str, id: object, *, next: tuple[str, ...] = ()) -> None:
        super().__init__(f"{kind.capitalize()} {id} is not yours or does not exist.", next=next)
        self.code = f"no_such_{kind.replace(' ', '_')}"


class Destroyed(NotFound):
    """It was there, and its owner had it destroyed."""

    code = "instance_destroyed"

    def __init__(self, id: object) -> None:
        super().__init__("instance", id)
        self.args = (f"Instance {id} was destroyed; nothing of it is left.",)
        self.code = "instance_destroyed"


class Conflict(Rejected):
    """The thing exists, but not in a state that allows this."""

    code = "conflict"

    def __init__(self, detail: str, *, code: str = "conflict", next: tuple[str, ...] = ()) -> None:
        super().__init__(detail, next=next)
        self.code = code


class Unauthenticated(Rejected):
    """No key was sent, or one that we do not know."""

    code = "unauthenticated"


class Forbidden(Rejected):
    """The key is known and may not do this."""

    code = "forbidden"

    def __init__(self, detail: str, *, code: str = "", next: tuple[str, ...] = ()) -> None:
        super().__init__(detail, next=next)
        if code:
            self.code = code


class NotApproved(Forbidden):
    """Somebody else must approve this first."""

    code = "not_approved"


class StoreUnreachable(Rejected):
    """The cloud store refused us or could not be reached, so the connection needs mending."""

    def __init__(self, detail: str, *, code: str, next: tuple[str, ...] = ()) -> None:
        super().__init__(detail, next=next)
        self.code = code


class Unavailable(CloudCopyError):
    """The request is sound; we cannot serve it right now. Nothing was started."""

    code = "unavailable"
    retryable = True


class TooMany(Unavailable):
    """The caller has as many of these at once as it may, or the server has.

    Attributes:
        wait_seconds: When it may be tried again; at most 60, or clients do not wait.
    """

    def __init__(
        self, detail: str, *, code: str, wait_seconds: int = 10, next: tuple[str, ...] = ()
    ) -> None:
        super().__init__(detail, next=next)
        self.code = code
        self.wait_seconds = wait_seconds


def first(error: BaseException | None) -> BaseException | None:
    """The error itself, or the first one in a task group's; groups nest."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
