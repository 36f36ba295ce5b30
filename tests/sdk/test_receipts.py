"""What a receipt proves offline, and how each lie is found."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from cloudcopy.adapters.vault import FileVault
from cloudcopy.domain.progress import Recheck
from cloudcopy.sdk import receipts
from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.receipts import AnotherKey, Forged, OtherFiles, Unreadable, verify
from cloudcopy.wire.v1 import FileView, ReceiptKey
from tests.sdk import signed
from tests.sdk.scripted import Answer, Scripted, ok
from tests.sdk.signed import MD5, ROWS, VAULT

KEY = b64encode(VAULT.public_key).decode()


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(signed.receipt()) | fields).encode()


def test_a_receipt_is_canonical_and_the_same_each_time() -> None:
    raw = signed.receipt()

    assert raw == signed.receipt() == rfc8785.dumps(json.loads(raw))


def test_a_true_receipt_is_verified_with_its_key_and_its_files() -> None:
    checked = verify(signed.receipt(), key=KEY, rows=signed.lines())

    assert (checked.key_known, checked.files) == (True, 3)
    assert checked.fingerprint == receipts.fingerprint(VAULT.public_key)
    assert checked.fingerprint.startswith("SHA256:")
    receipt = checked.receipt
    assert (receipt.transfer, receipt.attempt, receipt.state) == ("t_1", 1, "partial")
    assert (receipt.order.src, receipt.order.dst) == ("/data", "bucket/data")
    assert receipt.order.flags == ["--exclude=*.tmp"]
    assert receipt.counters.skipped == {"symbolic link": 2}
    assert receipt.verification.recheck.files == 3
    assert receipt.times.ended_at == "2026-01-02T03:04:05.678000Z"


def test_without_a_key_and_a_list_it_says_what_was_not_checked() -> None:
    checked = verify(signed.receipt())

    assert (checked.key_known, checked.files) == (False, None)


def test_its_form_does_not_matter_and_a_field_of_a_later_version_is_signed_too() -> None:
    pretty = json.dumps(json.loads(signed.receipt()), indent=4, ensure_ascii=True)
    said = {**json.loads(pretty), "later": {"x": [1, None, True]}}
    later = {**said, "signature": _signature(said)}

    assert verify(pretty, key=KEY).key_known
    read = verify(json.dumps(later), key=KEY).receipt
    assert verify(read, key=KEY).key_known
    with pytest.raises(Forged):
        verify(json.dumps(later | {"later": {}}), key=KEY)


def _signature(said: dict[str, Any]) -> str:
    rest = {name: value for name, value in said.items() if name != "signature"}
    return b64encode(VAULT.sign(rfc8785.dumps(rest))).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "succeeded"},
        {"transfer": "t_2"},
        {"reason": "all is well"},
        {"added": 1},
        {"key": b64encode(FileVault(b"o" * 32).public_key).decode()},
        {"signature": b64encode(b"s" * 64).decode()},
        {"signature": ""},
        {"key": ""},
    ],
)
def test_a_receipt_that_was_edited_is_found_out(fields: dict[str, Any]) -> None:
    with pytest.raises(Forged, match="changed after it was signed"):
        verify(changed(**fields))


def test_a_count_that_was_edited_is_found_out() -> None:
    receipt = json.loads(signed.receipt())
    receipt["counters"]["failed"] = 0
    with pytest.raises(Forged):
        verify(json.dumps(receipt))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"format": "cloudcopy receipt", "version": 2}',
        b'{"format": "cloudcopy receipt", "version": 1}',
        b"[" * 100_000,
        changed(signature="not base64!"),
        changed(attempt=1.5),
        changed(later=2**60),
        signed.receipt().replace(b'"attempt":1', b'"attempt":9,"attempt":1'),
        signed.receipt().replace(b'"attempt":1', b'"attempt":NaN'),
        signed.receipt() + b" " * receipts.MAX_BYTES,
    ],
)
def test_what_is_no_receipt_is_told_so(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="The receipt"):
        verify(raw)


def test_another_key_is_found_out_and_named() -> None:
    other = FileVault(b"o" * 32).public_key
    with pytest.raises(AnotherKey) as caught:
        verify(signed.receipt(), key=b64encode(other).decode())

    assert receipts.fingerprint(other) in caught.value.detail
    assert receipts.fingerprint(VAULT.public_key) in caught.value.detail


@pytest.mark.parametrize("key", ["", "short", b64encode(b"x" * 31).decode(), "ü"])
def test_a_key_that_is_none_is_told_so(key: str) -> None:
    with pytest.raises(AnotherKey, match="32 bytes in base64"):
        verify(signed.receipt(), key=key)


WRONG = [
    ROWS[1:],
    ROWS[:-1],
    (*ROWS, replace(ROWS[0], path="z")),
    (replace(ROWS[0], size=2), *ROWS[1:]),
    (replace(ROWS[0], hash=MD5[::-1]), *ROWS[1:]),
    (replace(ROWS[0], path="aa"), *ROWS[1:]),
    (replace(ROWS[0], outcome=ROWS[1].outcome), *ROWS[1:]),
    ROWS[::-1],
    (),
]


@pytest.mark.parametrize("rows", WRONG)
def test_a_list_with_a_changed_or_missing_row_is_found_out(rows: Any) -> None:
    with pytest.raises(OtherFiles, match="not the one of the receipt"):
        verify(signed.receipt(), rows=signed.lines(rows))


def test_what_did_not_arrive_is_no_part_of_the_root() -> None:
    arrived = [row for row in ROWS if row.outcome.arrived]

    assert verify(signed.receipt(), rows=[*signed.lines(arrived), b"\n"]).files == 3
    views = [FileView.model_validate_json(line) for line in signed.lines(arrived)]
    assert verify(signed.receipt(), rows=iter(views)).files == 3


def test_a_line_that_is_no_row_is_named() -> None:
    with pytest.raises(OtherFiles, match="Line 2 "):
        verify(signed.receipt(), rows=[signed.lines()[0], b"{}"])


def test_numbers_that_no_copy_has_do_not_break_a_receipt() -> None:
    odd = replace(signed.result(), copied=2**63, recheck=Recheck(files=-(2**63)))

    read = verify(signed.receipt(signed.ended(result=odd))).receipt

    assert read.counters.copied == 2**53 - 1
    assert read.verification.recheck.files == -(2**53) + 1


def test_the_document_tells_how_to_verify_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("receipt.json").write_bytes(signed.receipt())
    Path("files.jsonl").write_bytes(b"".join(signed.lines()))
    document = (Path(__file__).parents[2] / "docs" / "receipts.md").read_text()

    for script in re.findall(r"```python\n(.*?)```", document, re.DOTALL):
        subprocess.run([sys.executable, "-c", script], check=True)
    if shutil.which("openssl"):
        (shell,) = re.findall(r"```sh\n(openssl .*?)\n```", document, re.DOTALL)
        subprocess.run(shlex.split(shell), check=True)


async def test_a_fetched_receipt_can_be_verified(server: Scripted, client: Any) -> None:
    server.on("GET", "/v1/transfers/t_1/receipt", Answer(200, signed.receipt()))
    server.on("GET", "/v1/receipt-key", ok(ReceiptKey(public_key=KEY)))
    calls: Calls = client.transfers._calls

    key = await receipts.fetch_key(calls)
    receipt = await receipts.fetch(calls, "/v1/transfers/t_1")

    assert verify(receipt, key=key, rows=signed.lines()).files == 3
