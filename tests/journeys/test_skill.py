"""SKILL.md: everything that it tells an agent to run is run, as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cloudcopy.cli.app import build_app
from cloudcopy.cli.exits import EXIT_CODES
from demo.seaweed import S3

SKILL = (Path(__file__).parents[2] / "SKILL.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", SKILL, re.DOTALL | re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", SKILL, re.DOTALL | re.MULTILINE)
PROLOGUE = "set -euo pipefail\ntrap 'kill %1; wait' EXIT\n"


def commands(text: str) -> list[str]:
    return re.findall(r"^(?:[A-Z]+=\$\()?(cloudcopy [^\n)|&]*)", text, re.MULTILINE)


def test_everything_in_it_works_from_nothing(s3: S3, bucket: str, tmp_path: Path) -> None:
    [script] = PYTHON
    (tmp_path / "script.py").write_text(script)
    body = "\n".join([*SHELL, f"{shlex.quote(sys.executable)} script.py"])
    (tmp_path / "skill.sh").write_text(f"{PROLOGUE}{body}\necho all of it\n")
    ran = subprocess.run(
        ["/bin/bash", "-x", "skill.sh"],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "S3_ENDPOINT": s3.parameters["endpoint"],
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "BUCKET": bucket,
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert ran.stdout.splitlines()[-1] == "all of it"
    assert ran.stdout.splitlines()[-2].startswith("succeeded 1 copied")
    assert ran.stderr.count("+ cloudcopy ") == len(commands("\n".join(SHELL))) > 18
    assert (tmp_path / "work/restored/b.txt").read_text() == "changed\n"
    with s3.client() as client:
        found = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert {each["Key"] for each in found} == {"runs/b.txt", "later/a.txt"}


def test_no_command_in_its_prose_is_missing_from_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prose = re.sub(r"^```.*?^```", "", SKILL, flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`(cloudcopy [a-z -]+)`", prose))
    app = build_app({})
    app.command("cloudcopy.compose.commands:up", name="up")
    assert named
    for words in named:
        with pytest.raises(SystemExit) as ended:
            app([*words.split()[1:], "--help"])
        assert ended.value.code in {0, None}, words
        usage = capsys.readouterr().out
        assert usage.startswith(f"Usage: {words.partition(' --')[0]}"), words
        option = words.partition(" --")[2]
        assert not option or f"--{option}" in usage, words


def test_its_exit_codes_are_those_of_the_help() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", SKILL, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == dict(EXIT_CODES)


def test_it_has_the_head_that_agents_look_for() -> None:
    head = SKILL.split("---\n")[1]
    assert re.search(r"^name: cloudcopy$", head, re.MULTILINE)
    found = re.search(r"^description: (.+)$", head, re.MULTILINE)
    assert found
    assert 100 < len(found[1]) <= 1024
