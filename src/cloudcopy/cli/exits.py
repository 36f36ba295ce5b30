"""Exit codes, and how an error is told. Nothing else knows an exit code.

Light on purpose: `--help` prints the table, so nothing here may import the SDK up front.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudcopy.cli.output import Terminal

if TYPE_CHECKING:
    from cloudcopy.sdk import CloudCopyError, TransferView

DONE: Final = 0
FAILED: Final = 1
CANCELLED: Final = 2
PARTIAL: Final = 3
AUTH: Final = 4
USAGE: Final = 5
TEMPORARY: Final = 6
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

EXIT_CODES: Final[Mapping[int, str]] = {
    DONE: "done; a copy was also verified",
    FAILED: "failed",
    CANCELLED: "the transfer was cancelled",
    PARTIAL: "reserved: some files failed",
    AUTH: "no API key, or one that is not accepted or not allowed to",
    USAGE: "the command or a value in it is wrong",
    TEMPORARY: "the server could not be reached or cannot serve this now; try again",
    INTERRUPTED: "interrupted; a copy that was accepted goes on",
}


class Refused(Exception):
    """The command cannot be carried out as it was written.

    Attributes:
        next: What to write instead, one sentence each.
    """

    def __init__(self, detail: str, *, next: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.next = tuple(next)


class NoKey(Refused):
    """There is no API key in the environment."""

    def __init__(self) -> None:
        super().__init__(
            "There is no API key in the environment.",
            next=(
                "export CLOUDCOPY_API_KEY=cck_...",
                "The key was shown by the first `cloudcopy up` or `cloudcopy server`; "
                "`cloudcopy up --print-key` makes another.",
            ),
        )


def refused(error: Refused, terminal: Terminal) -> int:
    """Tell a refusal of our own."""
    no_key = isinstance(error, NoKey)
    terminal.problem(error.detail, error.next, code="no_key" if no_key else "usage")
    return AUTH if no_key else USAGE


def failed(error: "CloudCopyError", terminal: Terminal) -> int:
    """Tell an error of the SDK."""
    from cloudcopy import sdk  # noqa: PLC0415 - see above

    terminal.problem(
        error.detail,
        error.next,
        code=error.code,
        retryable=error.retryable,
        **({"status": error.status} if isinstance(error, sdk.ApiError) else {}),
    )
    match error:
        case sdk.Unauthenticated() | sdk.Forbidden():
            return AUTH
        case sdk.Invalid():
            return USAGE
        case sdk.Unavailable():
            return TEMPORARY
        case sdk.Unreachable():
            return TEMPORARY if error.retryable else USAGE  # the latter: it is no address
        case _:
            return FAILED


def ended(transfer: "TransferView", terminal: Terminal, *, place: str) -> int:
    """Tell how a transfer ended: one line, and what to do now if it did not succeed."""
    summary = transfer.result.summary if transfer.result else ""
    if transfer.state == "succeeded":
        if not terminal.json:
            terminal.line(f"✔ {summary} → {place}  ({transfer.id})")
        return DONE
    show = f"See what happened: cloudcopy transfer show {transfer.id}"
    again = f"Try again: cloudcopy transfer retry {transfer.id}"
    if transfer.state == "cancelled":
        terminal.problem(
            f"The copy {transfer.id} was cancelled. {transfer.reason} {summary}".strip(),
            (again,),
            code="transfer_cancelled",
        )
        return CANCELLED
    did = summary if transfer.result and transfer.result.listed else ""
    said = ". ".join(part.rstrip(".") for part in (transfer.reason, did) if part)
    terminal.problem(
        f"The copy {transfer.id} failed: {said}.", (show, again), code="transfer_failed"
    )
    return FAILED


def local_failure(detail: str, next: Sequence[str], *, usage: bool) -> int:
    """Tell an error of a command that runs something on this machine."""
    Terminal(json=False).problem(detail, next, code="usage" if usage else "failed")
    return USAGE if usage else FAILED


def epilogue() -> str:
    """The table of exit codes, for `--help`."""
    return "Exit codes:\n\n" + "\n".join(f"{code:>5}  {says}" for code, says in EXIT_CODES.items())
