"""Which runtime this machine has for created instances, and what it then offers."""

from pathlib import Path
from typing import Final

import structlog

from cloudcopy.adapters import system
from cloudcopy.adapters.runtime import process
from cloudcopy.adapters.runtime.docker import DockerRuntime
from cloudcopy.adapters.runtime.engine import Engine
from cloudcopy.adapters.runtime.hardware import hardware
from cloudcopy.compose.settings import AgentSettings, private_directory
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.offer import Hardware
from cloudcopy.ports.runtime import InstanceRuntime

log = structlog.get_logger()

_SAME_USER: Final = Unavailable(
    "Instances would run as this agent's own user, and could reach all that listens on a socket "
    "of that user: Landlock does not keep them from it.",
    next=(
        "Run the agent as root, which runs them as nobody, or use --runtime docker or none, "
        "or --allow-same-user on a machine you own alone.",
    ),
)


async def chosen(settings: AgentSettings, directory: Path) -> InstanceRuntime | None:
    """The one that was asked for, or the best that works; None: nothing is offered here.

    Raises:
        Unavailable: the one that was asked for does not work.
    """
    if settings.runtime == "none":
        return None
    place = private_directory(directory / "instances")
    engine = Engine(settings.docker_socket)
    found: InstanceRuntime
    if settings.runtime != "process" and await engine.answers():
        gpus = settings.tools.nvidia_smi is not None
        found = DockerRuntime(place, engine, system.utc_now, gpus=gpus)
    elif settings.runtime == "docker":
        raise Unavailable(
            f"No Docker engine answers at {settings.docker_socket}.",
            next=("Start it, and let this agent's user reach its socket.",),
        )
    elif not (process.apart() or settings.allow_same_user):
        if settings.runtime == "process":
            raise _SAME_USER
        log.warning("no instances can be created here", reason=str(_SAME_USER))
        return None
    elif process.usable(allow_unconfined=settings.tools.allow_unconfined):
        found = process.made(place, now=system.utc_now)
    elif settings.runtime == "process":
        raise Unavailable(
            "What runs in an instance cannot be confined: this kernel has no Landlock.",
            next=(
                "Use --runtime docker or none, or --allow-unconfined on a machine you own alone.",
            ),
        )
    else:
        log.warning("no instances can be created here", reason="neither Docker nor Landlock")
        return None
    await found.recover()
    log.info("instances can be created here", runtime=found.name)
    return found


async def offering(runtime: InstanceRuntime, settings: AgentSettings) -> Hardware:
    """What the machine has. Once at the start: a driver may take longer than a login may."""
    return await hardware(
        runtime.name, settings.data_dir.expanduser(), nvidia_smi=settings.tools.nvidia_smi
    )
