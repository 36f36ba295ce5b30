"""From a real copy to a receipt that is verified without the server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import Up
from tests.journeys.stack import Program


def offline(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command of the command line, in an empty environment."""
    arguments = [sys.executable, "-m", "cloudcopy.compose.main", *map(str, words)]
    return subprocess.run(arguments, env={}, capture_output=True, text=True, check=False)


def kept(up: Up, id: str, to: Path) -> tuple[Path, Path]:
    """The receipt and the list of files of a transfer, in files."""
    receipt, files = to / f"{id}.json", to / f"{id}.jsonl"
    receipt.write_bytes(up.api.request("GET", f"/v1/transfers/{id}/receipt").content)
    files.write_bytes(up.api.request("GET", f"/v1/transfers/{id}/files").content)
    return receipt, files


@pytest.mark.parametrize("again", ["upload", "download"])
def test_a_copy_there_and_back_leaves_receipts_that_hold_without_the_server(
    up: Up, tmp_path: Path, again: str
):
    source = up.root / "source"
    (source / "ünï" / "deeper").mkdir(parents=True)
    for number in range(300):
        (source / "ünï" / "deeper" / f"{number} \U0001f600").write_text("x" * number)
    (source / "empty").touch()
    ids = [up.upload("/source", "there")]
    ended = [up.api.wait(ids[0])]
    ids.append(
        up.upload("/source", "there") if again == "upload" else up.download("there", "/back")
    )
    ended.append(up.api.wait(ids[1]))
    assert [each["state"] for each in ended] == ["succeeded", "succeeded"], ended
    for each in ended:
        result = each["result"]
        assert (result["recheck"]["files"], result["recheck"]["why_not"]) == (301, "")
        assert result["digests"]["leaves"] == result["copied"] + result["unchanged"] == 301
    assert ended[0]["result"]["digests"]["files"] != ""
    key = up.api.ok("GET", "/v1/receipt-key")["public_key"]
    papers = [kept(up, id, tmp_path) for id in ids]
    assert isinstance(up.program, Program)
    up.program.kill()

    for receipt, files in papers:
        ran = offline("receipt", "verify", receipt, "--key", key, "--files", files)
        assert ran.returncode == 0, ran.stderr
        assert "301 files are those of the receipt" in ran.stdout
        rows = files.read_text().splitlines(keepends=True)
        files.write_text("".join(rows[1:]))
        assert offline("receipt", "verify", receipt, "--files", files).returncode == 1
        said = json.loads(receipt.read_text())
        said["counters"]["copied"] += 1
        receipt.write_text(json.dumps(said))
        assert "changed after it was signed" in offline("receipt", "verify", receipt).stderr
