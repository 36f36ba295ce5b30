"""The public client, unmodified, run as its users run it: a program with a HOME of its own.

It lives in an environment beside the project's, because it pins its own libraries.
"""

import base64
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.journeys.stack import eventually

VENV = Path(__file__).parents[2] / ".venv-vastai"
VASTAI = VENV / "bin" / "vastai"
VERSION = "1.9.1"
MISSING = (
    f"The vastai client {VERSION} is not in {VENV}. `make test` puts it there, "
    "from requirements/compat.txt; run that once."
)
ENDED = "Cloud Copy Operation"  # every final status_msg begins with it, and no other does

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_WIDE = "300"  # columns, so that the client hides none of its own
_PATIENCE = 60.0  # seconds for one run of the client on a busy machine

# Reads calls as [method, options] from stdin; writes what each returned, or was refused with.
_SDK = """
import json, sys
import requests
from vastai import VastAI
client = VastAI()
answers = []
for method, options in json.load(sys.stdin):
    try:
        answers.append(getattr(client, method)(**options))
    except requests.HTTPError as error:
        answers.append({"status": error.response.status_code, **error.response.json()})
json.dump(answers, sys.stdout)
"""


def installed() -> bool:
    """Whether the exact version is there."""
    return VASTAI.exists() and _record() is not None


def changed_files() -> list[str]:
    """Files of the client that are not what its wheel held, by the hashes in its RECORD."""
    record = _record()
    assert record is not None, MISSING
    changed = []
    for line in record.read_text().splitlines():
        name, hashed, _ = line.rsplit(",", 2)
        if name.startswith("vastai/") and hashed:
            digest = sha256((record.parent.parent / name).read_bytes()).digest()
            written = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            changed += [] if hashed == f"sha256={written}" else [name]
    return changed


def _record() -> Path | None:
    found = VENV.glob(f"lib/python*/site-packages/vastai-{VERSION}.dist-info/RECORD")
    return next(found, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run printed, without colours, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line on stdout; frames of tables are left out."""
        return [re.sub(r"[│║┃|]", " ", line).split() for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vastai:
    """Runs the client against one server.

    Attributes:
        key: None runs it without any.
        home: Its HOME; nothing of the developer's own reaches it.
        compiled: Where Python keeps what it compiled; shared, for a start in a second.
        forbidden: Texts that must not be in anything it prints.
    """

    url: str
    key: str | None = field(repr=False)
    home: Path
    compiled: Path
    forbidden: Sequence[str] = field(repr=False)

    def with_key(self, key: str | None) -> "Vastai":
        return replace(self, key=key)

    def __call__(self, *words: str, typed: str = "") -> Answer:
        """`typed` is what a person would type at its prompts."""
        return self._run([str(VASTAI), *words], typed)

    def raw(self, *words: str) -> Any:
        """The JSON that it prints with ``--raw``, and nothing but it."""
        answer = self(*words, "--raw")
        assert (answer.code, answer.err) == (0, ""), answer
        return json.loads(answer.out)

    def sdk(self, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
        """What these calls of `vastai.VastAI` return, in one process."""
        answer = self._run([str(VENV / "bin" / "python"), "-c", _SDK], json.dumps(calls))
        assert (answer.code, answer.err) == (0, ""), answer
        return list(json.loads(answer.out))

    def row(self, instance: int) -> dict[str, Any]:
        return dict(self.raw("show", "instance", str(instance)))

    def settled(self, instance: int) -> str:
        """The instance's status_msg, once `vastai show instance ID --raw` says that it ended."""

        def look() -> str | None:
            told = str(self.row(instance)["status_msg"])
            return told if told.startswith(ENDED) else None

        return eventually(look, f"the copy of instance {instance} has ended")

    def _run(self, command: list[str], stdin: str) -> Answer:
        environment = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "COLUMNS": _WIDE,
            "VAST_URL": self.url,
            "PYTHONPYCACHEPREFIX": str(self.compiled),
            **({"VAST_API_KEY": self.key} if self.key else {}),
        }
        done = subprocess.run(
            command,
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        answer = Answer(done.returncode, *(_COLOURS.sub("", t) for t in (done.stdout, done.stderr)))
        assert [each for each in self.forbidden if each in done.stdout + done.stderr] == []
        return answer
