"""Every error the SDK raises on purpose, in one tree.

CloudCopyError
    ApiError                the server answered, and it was no
        Unauthenticated     401: no key, or one it does not know
        Forbidden           403: the key may not do this
        NotFound            404: nothing of yours has this id or name
        Conflict            409: the thing exists, but not in a state that allows this
        Invalid             400, 422: a value breaks a rule
        Unavailable         429, 502, 503, 504: the same request may succeed later
    Unreachable             no answer at all

An error never holds the API key.
"""

from collections.abc import Sequence


class CloudCopyError(Exception):
    """Root of the tree. Never raised itself.

    Attributes:
        code: Stable machine name.
        detail: What happened, in one sentence.
        retryable: The same request may succeed later without being changed.
        next: What to do now, one imperative sentence each.
    """

    def __init__(
        self, detail: str, *, code: str, retryable: bool = False, next: Sequence[str] = ()
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.retryable = retryable
        self.next = tuple(next)


class ApiError(CloudCopyError):
    """The server refused, or answered in a way that is not its API.

    Attributes:
        status: The HTTP status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str,
        retryable: bool = False,
        next: Sequence[str] = (),
    ) -> None:
        super().__init__(detail, code=code, retryable=retryable, next=next)
        self.status = status


class Unauthenticated(ApiError):
    """No key was sent, or one that the server does not know."""


class Forbidden(ApiError):
    """The key is known and may not do this."""


class NotFound(ApiError):
    """Nothing of yours has this id or name."""


class Conflict(ApiError):
    """The thing exists, but not in a state that allows this."""


class Invalid(ApiError):
    """A value breaks a rule; the detail names it."""


class Unavailable(ApiError):
    """The server cannot serve this now. Nothing was started."""


class Unreachable(CloudCopyError):
    """No answer came: nobody listens there, the name is unknown, or the network failed."""


_BY_STATUS = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def kind_of(status: int) -> type[ApiError]:
    """The class that stands for `status`."""
    return _BY_STATUS.get(status, ApiError)
