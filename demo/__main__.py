"""`make demo`: real files to a real S3 server and back, compared.

Everything runs on this machine, on free loopback ports, in a directory that is removed at
the end. Ends with 0 only if both trees are the same.
"""

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from cloudcopy.sdk import Client
from demo import tree
from demo.seaweed import S3, roomy_directory, seaweed
from demo.stack import PROGRAM, Stack, stack

INSTANCE: Final = "demo"
CONNECTION: Final = "s3demo"
BUCKET: Final = "demo-bucket"
MIB: Final = tree.MIB


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--small", type=int, default=3_000, help="how many files of 1 to 16 KiB")
    parser.add_argument("--large", type=int, default=3, help="how many files of 100 to 128 MiB")
    asked = parser.parse_args(words)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _workplace() as place:
            return _demo(place, small=asked.small, large=asked.large)
    except KeyboardInterrupt:
        say("\nStopped. Everything that was started has been ended.")
        return 130
    except (RuntimeError, subprocess.CalledProcessError) as error:
        say(f"\nThe demo failed: {error}")
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _workplace() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="cloudcopy-demo-", dir=roomy_directory()))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _demo(place: Path, *, small: int, large: int) -> int:
    root = place / "instance"
    (root / "data").mkdir(parents=True)
    say("1. Make some files")
    tree.make(root / "data", small=small, large=large)
    size = tree.measure(root / "data")
    say(f"   {size.files:,} files, {size.bytes / MIB:,.0f} MiB, odd names among them\n")

    say("2. Start an S3 server (SeaweedFS), the control plane and an agent")
    with seaweed() as s3, stack(place / "cloudcopy", {INSTANCE: root}) as up:
        s3.create_bucket(BUCKET)
        say(f"   S3 at {s3.endpoint}, cloudcopy at {up.url}, instance @{INSTANCE} is {root}")
        _connect(up, s3)
        say("   tried, then kept with its secrets sealed\n")

        say("3. Copy up")
        cloud = f"{CONNECTION}:{BUCKET}/run"
        upload = timed(lambda: _copy(up, f"@{INSTANCE}:/data", cloud))
        say("\n4. Copy back, to another directory")
        download = timed(lambda: _copy(up, cloud, f"@{INSTANCE}:/restored"))
        proofs = asyncio.run(_proofs(up))

    say("\n5. Compare both directories by SHA-256")
    different = tree.differences(tree.hashes(root / "data"), tree.hashes(root / "restored"))
    say(f"""
   files      {size.files:,}, {size.bytes / MIB:,.0f} MiB
   up         {upload:.1f} s, {size.bytes / MIB / upload:,.0f} MiB/s
   down       {download:.1f} s, {size.bytes / MIB / download:,.0f} MiB/s
   cloudcopy  {proofs}
   identical  {"yes" if not different else f"NO: {len(different)} differ, {different[0]!r} first"}
""")
    if different:
        return 1
    say("""Everything was stopped and removed. What to try next:
   make up ARGS="--instance box=$HOME"     your own files; it prints how to go on
   README.md                               the first five minutes, with a store of yours
   docs/compatibility.md                   the same with the vastai client""")
    return 0


def say(text: str) -> None:
    print(text, flush=True)


def timed(do: Callable[[], None]) -> float:
    """How many seconds it took."""
    started = time.monotonic()
    do()
    return time.monotonic() - started


def _copy(up: Stack, source: str, target: str) -> None:
    """The command that a person would type. Raises CalledProcessError unless it succeeded."""
    say(f"   $ cloudcopy copy {source} {target}")
    subprocess.run([str(PROGRAM), "copy", source, target], env=up.environment, check=True)


def _connect(up: Stack, s3: S3) -> None:
    """As a person would; the secrets are in the command's environment, not in its words."""
    secret = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}
    plain = [
        f"--param={name}={value}" for name, value in s3.parameters.items() if name not in secret
    ]
    say(f"   $ cloudcopy connection add {CONNECTION} --type s3 --from-env --param endpoint=… …")
    added = subprocess.run(
        [str(PROGRAM), "connection", "add", CONNECTION, "--type", "s3", "--from-env", *plain],
        env={**up.environment, **{secret[name]: s3.parameters[name] for name in secret}},
        capture_output=True,
        text=True,
        check=False,
    )
    if added.returncode:
        raise RuntimeError(f"the connection was refused: {added.stderr}")


async def _proofs(up: Stack) -> str:
    """What cloudcopy says of each copy, the first one first."""
    async with Client(up.url, up.api_key) as client:
        ended = [each async for each in client.transfers.list()]
    return "\n              ".join(each.result.summary for each in reversed(ended) if each.result)


if __name__ == "__main__":
    sys.exit(main())
