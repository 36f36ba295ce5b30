"""`cloudcopy receipt`. Of a receipt in a file, nothing here asks the server or needs a key."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Environ, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.output import Terminal, size
from cloudcopy.sdk import CloudCopyError
from cloudcopy.sdk.receipts import MAX_BYTES, Checked, Receipt, verify

app = App(name="receipt", help_epilogue="")

UNCHECKED: Final = (
    "The key itself was not checked: anybody can sign with a key of their own. Give the control "
    "plane's with --key, got in another way than the receipt."
)


@dataclass(frozen=True)
class Here:
    """What a command wants done on this machine, without a server."""

    work: Callable[[Terminal], int]
    json: bool

    def run(self, _: Environ) -> int:
        """Do it; errors become words and an exit code."""
        terminal = Terminal(json=self.json)
        try:
            return self.work(terminal)
        except Refused as error:
            return exits.refused(error, terminal)
        except CloudCopyError as error:
            return exits.failed(error, terminal)
        except BrokenPipeError:
            return exits.cut_off()
        except KeyboardInterrupt:
            return exits.INTERRUPTED


@app.command
def show(
    receipt: Annotated[str, Parameter(help="A file with a receipt, or a transfer's id.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call | Here:
    """Show a receipt.

    With --json it is written as it was signed, so that it can be kept and
    verified.
    """
    path = Path(receipt)
    if path.is_file():
        return Here(lambda terminal: _show(verify(_content(path)), terminal), options.json)
    if "/" in receipt or path.suffix:
        return Here(lambda _: _no_file(path), options.json)

    async def work(session: Session) -> int:
        return _show(verify(await session.client.transfers.receipt(receipt)), session.terminal)

    return Call(options, work)


@app.command(name="verify")
def check(
    file: Annotated[Path, Parameter(help="The receipt.")],
    /,
    *,
    key: Annotated[
        str | None,
        Parameter(help="The control plane's public key, in base64, as /v1/receipt-key has it."),
    ] = None,
    files: Annotated[
        Path | None,
        Parameter(help="The transfer's list of files, as JSON lines, to check as well."),
    ] = None,
    json: Annotated[
        bool, Parameter(negative=(), help="Write what was found as one line of JSON.")
    ] = False,
) -> Here:
    """Check a receipt, offline.

    It must not have been changed after it was signed; with --key, it must have
    been signed with that key; with --files, it must be about those files.
    """

    def work(terminal: Terminal) -> int:
        if files is None:
            return _verified(verify(_content(file), key=key), terminal)
        try:
            with files.open("rb") as lines:
                return _verified(verify(_content(file), key=key, rows=lines), terminal)
        except OSError as error:
            raise Refused(f"{files} cannot be read: {error.strerror}.") from error

    return Here(work, json)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from error


def _no_file(path: Path) -> int:
    raise Refused(f"There is no file {path}.", next=("Name a file, or a transfer's id.",))


def _verified(checked: Checked, terminal: Terminal) -> int:
    receipt = checked.receipt
    if terminal.json:
        terminal.data(
            {
                "transfer": receipt.transfer,
                "attempt": receipt.attempt,
                "state": receipt.state,
                "key": receipt.key,
                "fingerprint": checked.fingerprint,
                "key_checked": checked.key_known,
                "files_checked": checked.files,
            }
        )
        return exits.DONE
    terminal.line(
        f"✔ {receipt.transfer}, attempt {receipt.attempt}, {receipt.state}: not changed since it "
        f"was signed with the key {checked.fingerprint}"
    )
    if checked.files is not None:
        terminal.line(f"✔ {checked.files} files are those of the receipt")
    if checked.key_known:
        terminal.line("✔ that is the key that was given")
    else:
        terminal.say(UNCHECKED)
    return exits.DONE


def _show(checked: Checked, terminal: Terminal) -> int:
    terminal.one(checked.receipt, _facts(checked))
    terminal.say(UNCHECKED)
    return exits.DONE


def _facts(checked: Checked) -> list[tuple[str, object]]:
    receipt = checked.receipt
    order, counters = receipt.order, receipt.counters
    here, there = f"@{order.instance_label}:", f"{order.connection_name}:"
    if order.direction == "cloud_to_instance":
        here, there = there, here
    skipped = ", ".join(f"{count} {reason}" for reason, count in counters.skipped.items())
    return [
        ("transfer", receipt.transfer),
        ("attempt", receipt.attempt),
        ("state", receipt.state),
        ("reason", receipt.reason),
        ("from", f"{here}{order.src}"),
        ("to", f"{there}{order.dst}"),
        ("mode", order.mode),
        ("flags", " ".join(order.flags)),
        ("files", "only those that failed before" if order.scope == "failed" else ""),
        ("ended", receipt.times.ended_at),
        ("found", f"{counters.found} files, {size(counters.bytes_found)}"),
        ("copied", f"{counters.copied} files, {size(counters.bytes_copied)}"),
        ("unchanged", counters.unchanged),
        ("kept", counters.kept or None),
        ("skipped", skipped),
        ("failed", counters.failed),
        ("deleted", counters.deleted or None),
        ("verified", _how(receipt)),
        ("seen", _seen(receipt)),
        ("root", f"{receipt.merkle.root} over {receipt.merkle.leaves} files"),
        ("key", checked.fingerprint),
    ]


def _how(receipt: Receipt) -> str:
    proven = receipt.verification
    match proven.level:
        case "hash":
            if not proven.by_size_only:
                return f"by {proven.hash}"
            return f"{proven.by_hash} by {proven.hash}, {proven.by_size_only} by size only"
        case "size":
            return "by size only"
        case _:
            return "not at all"


def _seen(receipt: Receipt) -> str:
    """What the control plane saw itself."""
    seen = receipt.verification.recheck
    if seen.why_not:
        return f"not by the control plane: {seen.why_not}"
    return f"{seen.files} files by the control plane, {seen.hashed} of them with their hash"
