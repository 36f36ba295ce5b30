"""Everything in one process: the control plane and an agent for this machine."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloudcopy.compose import agent, server
from cloudcopy.compose.settings import (
    AgentSettings,
    RuntimeName,
    ServerSettings,
    machine_name,
    private_directory,
)
from cloudcopy.control import machines
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.http.services import Services

Ready = Callable[[str, str | None, Mapping[str, int]], None]


async def up(
    settings: ServerSettings,
    *,
    instances: Mapping[str, Path],
    copies: int,
    max_concurrency: int,
    local_store: Path | None,
    runtime: RuntimeName,
    allow_same_user: bool,
    print_key: bool,
    stop: asyncio.Event,
    ready: Ready,
) -> None:
    """Run both until `stop`; copies that run then resume at the next start.

    Args:
        ready: Called once, with the address, the new API key if there is one, and the
            instances' ids by label, when requests are answered and the agent is connected.

    Raises:
        Unavailable: the address cannot be listened on, or nothing can confine rclone.
        Conflict: another process runs from the same directory.
    """
    closing = asyncio.Event()
    agent_dir = private_directory(private_directory(settings.data_dir) / "agent")
    async with server.services(settings, closing) as found:
        bound = server.listening(settings)
        url = server.url_of(bound, settings)
        key = await server.first_key(found, again=print_key)
        welcomed: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        agent_settings = AgentSettings(
            data_dir=agent_dir,
            server=server.local_url(bound, settings),
            name=machine_name(),
            instances=instances,
            join=await _invite(found, agent_dir),
            copies=copies,
            max_concurrency=max_concurrency,
            local_store=local_store,
            runtime=runtime,
            allow_same_user=allow_same_user,
            tools=settings.tools,
        )
        agent_stop, server_stop = asyncio.Event(), asyncio.Event()

        def connected(ids: dict[str, int]) -> None:
            if not welcomed.done():
                welcomed.set_result(ids)

        serving = asyncio.create_task(server.serve(found, bound, stop=server_stop))
        working = asyncio.create_task(
            agent.run(agent_settings, stop=agent_stop, connected=connected)
        )
        asked = asyncio.create_task(stop.wait())
        try:
            await _first(welcomed, serving, working, asked)
            if welcomed.done() and not asked.done():
                ready(url, key, welcomed.result())
                await _first(serving, working, asked)
        finally:
            # The agent first: its last words should still find an ear.
            await _finish(agent_stop, working)
            await _finish(server_stop, serving)
            asked.cancel()
        for task in (working, serving):
            task.result()


async def _first(*waited: "asyncio.Future[Any]") -> None:
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)


async def _finish(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    stop.set()
    await asyncio.wait({task})


async def _invite(found: Services, agent_dir: Path) -> str | None:
    """A join token for our own agent, the first time."""
    if (agent_dir / "machine.json").exists():
        return None
    caller = Caller(server.OWNER, KeyId("up"))
    token, _ = await machines.invite(caller=caller, desk=found.machines)
    return token


def as_json(roots: Mapping[str, Path]) -> Ready:
    """One line on stdout, for programs."""

    def ready(url: str, key: str | None, ids: Mapping[str, int]) -> None:
        instances = [
            {"id": ids[label], "label": label, "root": str(root)} for label, root in roots.items()
        ]
        line = json.dumps({"url": url, "api_key": key, "instances": instances})
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return ready


def as_text(roots: Mapping[str, Path]) -> Ready:
    """What a person needs to go on, on stderr."""

    def ready(url: str, key: str | None, ids: Mapping[str, int]) -> None:
        lines = [f"cloudcopy is ready at {url}"]
        lines += [f"  @{label}  (id {ids[label]})  {root}" for label, root in roots.items()]
        lines += ["", "In another terminal:", f"  export CLOUDCOPY_URL={url}"]
        lines.append(f"  export CLOUDCOPY_API_KEY={key or 'cck_...'}")
        first = next(iter(roots))
        lines += [
            "  cloudcopy connection add my-s3 --type s3",
            f"  cloudcopy copy @{first}:/some/folder my-s3:my-bucket/folder",
            "",
            "The key is shown this once." if key else "A new key: cloudcopy up --print-key",
            "Ctrl-C stops it; running copies go on at the next start.",
        ]
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()

    return ready
