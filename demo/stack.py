"""`cloudcopy up` as a program of its own, started and ended around what needs it."""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PROGRAM: Final = Path(sysconfig.get_path("scripts")) / "cloudcopy"
_STOP_SECONDS: Final = 30.0  # running copies are ended first


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A control plane with its agent on this machine.

    Attributes:
        instances: Id by label.
    """

    url: str
    api_key: str = field(repr=False)
    instances: Mapping[str, int]

    @property
    def environment(self) -> dict[str, str]:
        """What the CLI needs to reach it, added to this process's own."""
        return {**os.environ, "CLOUDCOPY_URL": self.url, "CLOUDCOPY_API_KEY": self.api_key}


@contextmanager
def stack(data_dir: Path, instances: Mapping[str, Path]) -> Iterator[Stack]:
    """Run one on a free loopback port until the end of the block.

    Raises:
        RuntimeError: it did not start; says what it wrote last.
    """
    log = data_dir.with_suffix(".log")
    with log.open("wb") as told:
        process = subprocess.Popen(
            [
                str(PROGRAM),
                "up",
                "--json",
                f"--data-dir={data_dir}",
                "--listen=127.0.0.1:0",
                *(f"--instance={label}={root}" for label, root in instances.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"cloudcopy did not start: {log.read_text()[-2_000:]}")
        ready = json.loads(line)
        yield Stack(
            url=ready["url"],
            api_key=ready["api_key"],
            instances={each["label"]: each["id"] for each in ready["instances"]},
        )
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
