"""Exit codes, and how an error is told. Nothing else knows an exit code.

Light on purpose: `--help` prints the table, so nothing here may import the SDK up front.
"""

import os
import sys
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
CUT_OFF: Final = 141  # 128 + SIGPIPE

EXIT_CODES: Final[Mapping[int, str]] = {
    DONE: "done; a copy was also verified",
    FAILED: "failed",
    CANCELLED: "the transfer was cancelled, or not confirmed",
    PARTIAL: "partial: some files failed, or a check found differences",
    AUTH: "no API key, or one that is not accepted or not allowed to",
    USAGE: "the command or a value in it is wrong",
    TEMPORARY: "the server could not be reached or cannot serve this now; try again",
    INTERRUPTED: "interrupted; a copy that was accepted goes on",
    CUT_OFF: "what read the output stopped reading it",
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


def ended(transfer: "TransferView", terminal: Terminal, *, place: str, did: str) -> int:
    """Tell how a transfer, plan or check ended: one line, and what to do now if it did not
    succeed. `did` says in one sentence what it did."""
    if transfer.state == "succeeded":
        if not terminal.json:
            terminal.line(f"✔ {did} → {place}  ({transfer.id})")
        return DONE
    work = "copy" if transfer.work == "transfer" else transfer.work
    code, what = _ENDS.get(transfer.state, (FAILED, "failed"))
    if transfer.work == "check" and code == PARTIAL:
        what = "found differences"
    found = did if transfer.result and (transfer.result.found or code == PARTIAL) else ""
    said = ". ".join(part.rstrip(".") for part in (transfer.reason, found) if part)
    detail = f"The {work} {transfer.id} {what}{f': {said}' if said else ''}."
    terminal.problem(detail, _now(transfer), code=f"transfer_{transfer.state}")
    return code


_ENDS: Final[Mapping[str, tuple[int, str]]] = {
    "cancelled": (CANCELLED, "was cancelled"),
    "partial": (PARTIAL, "is partial"),
}


def _now(transfer: "TransferView") -> Sequence[str]:
    show = f"See what happened: cloudcopy transfer show {transfer.id}"
    report = f"See what failed, and why: cloudcopy transfer report {transfer.id}"
    again = f"Try again: cloudcopy transfer retry {transfer.id}"
    failed_only = f"Try those files again: cloudcopy transfer retry {transfer.id} --failed"
    groups = transfer.result.errors if transfer.result else []
    if any(group.code == "not_in_store" for group in groups):  # the host's list is not true
        failed_only = again
    if transfer.plan:  # it allows no side to have changed, and this attempt may have
        again = failed_only = "Make a new plan of the same two sides: cloudcopy plan"
    match transfer.state, transfer.work:
        case "cancelled", _:
            return (again,)
        case "partial", "check":
            return (f"See every file: cloudcopy transfer files {transfer.id}",)
        case "partial", _:
            return (report, failed_only)
        case _:
            return (show, again)


def cut_off() -> int:
    """What read our output has gone: nothing more is written there, not even at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CUT_OFF


def local_failure(detail: str, next: Sequence[str], *, usage: bool) -> int:
    """Tell an error of a command that runs something on this machine."""
    Terminal(json=False).problem(detail, next, code="usage" if usage else "failed")
    return USAGE if usage else FAILED


def epilogue() -> str:
    """The table of exit codes, for `--help`."""
    return "Exit codes:\n\n" + "\n".join(f"{code:>5}  {says}" for code, says in EXIT_CODES.items())
