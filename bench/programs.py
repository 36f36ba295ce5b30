"""The peers that are programs: each with its defaults, rclone also as an expert would tune it."""

import asyncio
import os
import subprocess
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.way import Failed, Peer, Way
from bench.work import Kind
from demo.seaweed import REGION

BIN: Final = Path(sysconfig.get_path("scripts"))  # of this environment: rclone
PEERS: Final = Path(__file__).parents[1] / ".venv-bench" / "bin"  # of theirs
RCLONE: Final = "rclone copy"
RCLONE_CHECK: Final = "rclone copy + check"
RCLONE_TUNED: Final = "rclone tuned"
AT_ONCE: Final = 64

Command = list[str]


@dataclass(frozen=True, slots=True)
class Program:
    """A peer that is run once or more for each copy."""

    name: str
    binary: Path
    commands: Callable[[Way], Sequence[Command]]
    environment: Callable[[Way], Mapping[str, str]]

    async def copy(self, way: Way) -> None:
        for words in self.commands(way):
            process = await asyncio.create_subprocess_exec(
                self.binary,
                *words,
                env={"PATH": os.environ["PATH"], "HOME": os.devnull, **self.environment(way)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            try:
                _, told = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if process.returncode:
                last = told.decode(errors="replace").strip()[-300:]
                raise Failed(
                    f"{self.binary.name} {words[0]} ended with {process.returncode}: {last}"
                )


def programs() -> list[Peer]:
    """All that are installed here."""
    listed = (
        Program(RCLONE, BIN / "rclone", _rclone_copy, _rclone_environment),
        Program(RCLONE_CHECK, BIN / "rclone", _rclone_checked, _rclone_environment),
        Program(RCLONE_TUNED, BIN / "rclone", _rclone_tuned, _rclone_environment),
        Program("s5cmd", PEERS / "s5cmd", _s5cmd, _aws_environment),
        Program("aws s3 sync", PEERS / "aws", _aws, _aws_environment),
        Program("juicefs sync", PEERS / "juicefs", _juicefs, _juicefs_environment),
        Program("obstore", PEERS / "python", _obstore, _aws_environment),
    )
    return [each for each in listed if each.binary.exists()]


# rclone


def _rclone_sides(way: Way) -> tuple[str, str]:
    remote = f"R:{way.bucket}/{way.prefix}"
    return (str(way.local), remote) if way.upload else (remote, str(way.local))


def _rclone_copy(way: Way) -> list[Command]:
    return [["copy", *_rclone_sides(way)]]


def _rclone_checked(way: Way) -> list[Command]:
    return [["copy", *_rclone_sides(way)], ["check", "--one-way", *_rclone_sides(way)]]


def _rclone_tuned(way: Way) -> list[Command]:
    """Many at once and no HEAD; a re-sync by the listing's times; large files in many parts."""
    words = [f"--transfers={AT_ONCE}", f"--checkers={AT_ONCE}", "--s3-no-head"]
    if way.work.kind is not Kind.FRESH:
        words += ["--update", "--use-server-modtime", "--fast-list"]
    if any(some.size > 64 << 20 for some in way.work.files):
        words += [
            "--s3-chunk-size=16M",
            "--s3-upload-concurrency=8",
            "--s3-disable-checksum",
            "--multi-thread-streams=8",
        ]
    return [["copy", *words, *_rclone_sides(way)]]


def _rclone_environment(way: Way) -> dict[str, str]:
    options = {**way.store.parameters, "type": "s3", "no_check_bucket": "true"}
    return {
        "RCLONE_CONFIG": os.devnull,
        **{f"RCLONE_CONFIG_R_{name.upper()}": value for name, value in options.items()},
    }


# those that speak as the AWS tools do


def _s5cmd(way: Way) -> list[Command]:
    verb = "cp" if way.work.kind is Kind.FRESH else "sync"
    remote = f"s3://{way.bucket}/{way.prefix}/"
    sides = [f"{way.local}/", remote] if way.upload else [f"{remote}*", f"{way.local}/"]
    return [["--endpoint-url", way.store.endpoint, "--log", "error", verb, *sides]]


def _aws(way: Way) -> list[Command]:
    remote = f"s3://{way.bucket}/{way.prefix}"
    sides = [str(way.local), remote] if way.upload else [remote, str(way.local)]
    return [["s3", "sync", "--only-show-errors", "--endpoint-url", way.store.endpoint, *sides]]


def _obstore(way: Way) -> list[Command]:
    script = Path(__file__).with_name("obstore_copy.py")
    words = [str(script), "up" if way.upload else "down", str(way.local), way.store.endpoint]
    return [[*words, way.bucket, way.prefix, *(["--resync"] * (way.work.kind is not Kind.FRESH))]]


def _aws_environment(way: Way) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": way.store.access_key,
        "AWS_SECRET_ACCESS_KEY": way.store.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _juicefs(way: Way) -> list[Command]:
    remote = f"minio://127.0.0.1:{way.store.port}/{way.bucket}/{way.prefix}/"
    sides = [f"{way.local}/", remote] if way.upload else [remote, f"{way.local}/"]
    return [["--quiet", "--no-agent", "sync", "--no-https", f"--threads={AT_ONCE}", *sides]]


def _juicefs_environment(way: Way) -> dict[str, str]:
    return {
        "MINIO_ACCESS_KEY": way.store.access_key,
        "MINIO_SECRET_KEY": way.store.secret_key,
        "MINIO_REGION": REGION,
    }
