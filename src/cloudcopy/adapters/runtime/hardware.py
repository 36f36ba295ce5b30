"""What this machine has, as an offer shows it."""

import asyncio
import os
import platform
import shutil
from pathlib import Path
from typing import Final

from cloudcopy.domain.offer import Gpu, Hardware

_QUERY: Final = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
_SECONDS: Final = 20.0  # a driver that has to wake its GPUs takes several


async def hardware(runtime: str, directory: Path, *, nvidia_smi: str | None) -> Hardware:
    """Count it.

    Args:
        directory: Where instances lie; its disk is the one that counts.
        nvidia_smi: The program; None: there are no GPUs.
    """
    gpus, driver = await _gpus(nvidia_smi) if nvidia_smi else ((), "")
    return Hardware(
        runtime=runtime,
        gpus=gpus,
        driver=driver,
        cpu_name=await asyncio.to_thread(_cpu_name),
        cpu_arch={"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), ""),
        cpu_cores=len(os.sched_getaffinity(0)),
        cpu_ram_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        disk_gb=round(shutil.disk_usage(directory).free / 1e9, 1),
    )


async def _gpus(program: str) -> tuple[tuple[Gpu, ...], str]:
    """The GPUs, and their driver's version; none where the program fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *_QUERY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return (), ""
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return (), ""
    return parsed(out.decode(errors="replace")) if process.returncode == 0 else ((), "")


def parsed(text: str) -> tuple[tuple[Gpu, ...], str]:
    """``NVIDIA GeForce RTX 4090, 24564, 550.90.07``, a line for each GPU."""
    gpus, driver = [], ""
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and parts[1].isdigit():
            name = parts[0].removeprefix("NVIDIA ").removeprefix("GeForce ")
            gpus.append(Gpu(name, int(parts[1])))
            driver = parts[2]
    return tuple(gpus), driver


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "")
