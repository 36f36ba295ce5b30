"""`cloudcopy instance create`, and what can be done with an instance that was created."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Environ, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.sdk import InstanceStateName, InstanceView

Which = Annotated[str, Parameter(help="The instance's id or label.")]

_ANSWER: Final = "answer"


def offers(*, options: Options = NO_OPTIONS) -> Call:
    """List the machines on which instances can be created now."""

    async def work(session: Session) -> int:
        found = await session.client.instances.offers()
        session.terminal.many(
            found,
            ("OFFER", "MACHINE", "RUNTIME", "GPUS", "MODEL", "GPU MB", "CPUS", "MB", "DISK GB"),
            [
                (
                    each.id,
                    each.machine_name,
                    each.runtime,
                    each.num_gpus,
                    each.gpu_name,
                    each.gpu_ram_mb,
                    each.cpu_cores,
                    each.cpu_ram_mb,
                    each.disk_gb,
                )
                for each in found
            ],
            none="No connected machine offers instances; see --runtime of `cloudcopy agent`.",
        )
        return exits.DONE

    return Call(options, work)


def create(
    *,
    offer: Annotated[
        int | None, Parameter(help="From `instance offers`; not needed where there is one.")
    ] = None,
    label: Annotated[str, Parameter(help="What it is called.")] = "",
    image: Annotated[str, Parameter(help="The container's image; needed with Docker.")] = "",
    onstart: Annotated[
        Path | None, Parameter(help="A file with a script for sh, run at each start.")
    ] = None,
    env: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="NAME=VALUE, for what is no secret. Repeat for more."),
    ] = (),
    secret_env: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="NAME, taken from your environment. Repeat for more."),
    ] = (),
    disk: Annotated[float, Parameter(help="GB; kept and shown.")] = 0.0,
    state: Annotated[InstanceStateName, Parameter(help="What it should be first.")] = "running",
    options: Options = NO_OPTIONS,
) -> Call:
    """Create an instance, and wait until it runs. Prints its id.

    The SSH keys of the account are placed in it.
    """

    def ask(environ: Environ) -> Mapping[str, str]:
        missing = [name for name in secret_env if name not in environ]
        if missing:
            raise Refused(f"--secret-env {missing[0]}: there is no such variable.")
        return {**_named(env), **{name: environ[name] for name in secret_env}}

    async def work(session: Session) -> int:
        chosen = offer if offer is not None else await _only_offer(session)
        made = await session.client.instances.create(
            offer=chosen,
            label=label,
            image=image,
            onstart=_script(onstart),
            env=session.answers,
            disk_gb=disk,
            state=state,
        )
        return await _settled(session, made)

    return Call(options, work, ask)


def _named(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        name, given, value = word.partition("=")
        if not (name and given):
            raise Refused("--env wants NAME=VALUE.", next=("For a secret: --secret-env NAME.",))
        found[name] = value
    return found


def _script(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Refused(f"{path} cannot be read: {why}.") from None


async def _only_offer(session: Session) -> int:
    found = await session.client.instances.offers()
    if len(found) != 1:
        what = "There is no offer" if not found else f"There are {len(found)} offers"
        raise Refused(
            f"{what}, so say which one: --offer ID.",
            next=("See them with: cloudcopy instance offers",),
        )
    return found[0].id


async def _settled(session: Session, asked: InstanceView) -> int:
    """Wait until it is as it was asked to be; its id is all there is on stdout."""
    seen = await session.client.instances.wait(asked.id)
    if session.terminal.json:
        session.terminal.data(seen.model_dump(mode="json"))
    else:
        session.terminal.line(str(seen.id))
        why = f": {seen.status_msg}" if seen.status_msg else ""
        session.terminal.say(f"Instance {seen.id} is {seen.actual_status}{why}.")
    return exits.DONE if seen.actual_status == seen.intended_status else exits.FAILED


def _change(
    which: str, options: Options, ask: Callable[[Session, int], Awaitable[InstanceView]]
) -> Call:
    async def work(session: Session) -> int:
        found = await session.client.instances.find(which)
        return await _settled(session, await ask(session, found.id))

    return Call(options, work)


def start(instance: Which, /, *, options: Options = NO_OPTIONS) -> Call:
    """Start a stopped instance, and wait until it runs."""
    return _change(instance, options, lambda session, id: session.client.instances.start(id))


def stop(instance: Which, /, *, options: Options = NO_OPTIONS) -> Call:
    """Stop an instance; what it holds stays, and can be copied."""
    return _change(instance, options, lambda session, id: session.client.instances.stop(id))


def reboot(instance: Which, /, *, options: Options = NO_OPTIONS) -> Call:
    """Stop and start an instance, and wait until it runs."""
    return _change(instance, options, lambda session, id: session.client.instances.reboot(id))


def label(
    instance: Which,
    text: Annotated[str, Parameter(help="The new label; empty takes it away.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Give an instance another label."""

    async def work(session: Session) -> int:
        found = await session.client.instances.find(instance)
        changed = await session.client.instances.label(found.id, text)
        session.terminal.one(changed, (("id", changed.id), ("label", changed.label)))
        return exits.DONE

    return Call(options, work)


def destroy(
    instance: Which,
    /,
    *,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative=(), help="Do not ask.")] = False,
    options: Options = NO_OPTIONS,
) -> Call:
    """Remove an instance with all it holds. There is no way back."""

    async def confirmed(session: Session) -> int:
        if session.answers[_ANSWER].lower() not in {"y", "yes"}:
            session.terminal.problem(
                "It was not confirmed, so nothing was done.", (), code="not_confirmed"
            )
            return exits.CANCELLED
        return await gone(session)

    async def gone(session: Session) -> int:
        found = await session.client.instances.find(instance)
        await session.client.instances.destroy(found.id)
        session.terminal.say(f"Instance {found.id} is being destroyed.")
        return exits.DONE

    async def work(session: Session) -> int | Call:
        if yes:
            return await gone(session)
        if options.json or not (sys.stdin.isatty() and session.terminal.err.is_terminal):
            raise Refused(
                "This removes the instance and all it holds.", next=("If it is to go: --yes",)
            )
        found = await session.client.instances.find(instance)
        named = f"{found.id} ({found.label})" if found.label else str(found.id)
        question = f"Destroy instance {named} and all it holds? [y/N] "
        return Call(options, confirmed, _asking(question))

    return Call(options, work)


def _asking(question: str) -> Callable[[Environ], Mapping[str, str]]:
    def ask(_: Environ) -> Mapping[str, str]:
        sys.stderr.write(question)
        sys.stderr.flush()
        return {_ANSWER: sys.stdin.readline().strip()}

    return ask


def logs(
    instance: Which,
    /,
    *,
    tail: Annotated[int, Parameter(help="How many lines, from the end.")] = 1000,
    filter: Annotated[str, Parameter(help="Only lines that hold this text.")] = "",
    daemon: Annotated[
        bool, Parameter(negative=(), help="What was done with it, not what ran in it.")
    ] = False,
    options: Options = NO_OPTIONS,
) -> Call:
    """Show the end of an instance's log."""

    async def work(session: Session) -> int:
        found = await session.client.instances.find(instance)
        told = await session.client.instances.logs(
            found.id, tail=tail, filter=filter, daemon=daemon
        )
        return _shown(session, told)

    return Call(options, work)


def execute(
    instance: Which,
    command: Annotated[str, Parameter(help="E.g. 'ls -l workspace'; ls, rm or du, no shell.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """List, measure or remove files in an instance, also while it is stopped."""

    async def work(session: Session) -> int:
        found = await session.client.instances.find(instance)
        return _shown(session, await session.client.instances.execute(found.id, command))

    return Call(options, work)


def _shown(session: Session, text: str) -> int:
    if session.terminal.json:
        session.terminal.data({"text": text})
    else:
        session.terminal.raw(text.encode())
    return exits.DONE
