"""`cloudcopy schedule`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import addresses, exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.flags import NO_FLAGS, Bwlimit, Compare, Flags, Verify
from cloudcopy.cli.output import Terminal
from cloudcopy.cli.sides import Destination, Source, sides
from cloudcopy.sdk import CatchUpName, OverlapName, RunView, ScheduleView
from cloudcopy.sdk.schedules import Schedules

app = App(name="schedule", help_epilogue="")

Id = Annotated[int, Parameter(help="The schedule's id, as the list shows it.")]
_STRIP = {"succeeded": "✔", "failed": "✖", "partial": "◐", "cancelled": "○"}


@app.command
def create(
    src: Source,
    dst: Destination,
    /,
    *,
    cron: Annotated[
        str,
        Parameter(
            help="Minute, hour, day of the month, month, day of the week (0 is Sunday): "
            "'0 3 * * *' is each day at 3."
        ),
    ],
    zone: Annotated[str, Parameter(help="Whose clocks: an IANA name, e.g. Europe/Berlin.")] = "UTC",
    start: Annotated[
        datetime | None, Parameter(help="No run before; UTC unless it says otherwise.")
    ] = None,
    end: Annotated[
        datetime | None, Parameter(help="No run after; UTC unless it says otherwise.")
    ] = None,
    overlap: Annotated[
        OverlapName,
        Parameter(help="When a run is due while an earlier one is live: skip it, queue it, or "
                  "cancel the old one."),
    ] = "skip",
    catch_up: Annotated[
        CatchUpName,
        Parameter(help="Runs that were missed while no server ran: none, once for all, or all "
                  "(24 at most)."),
    ] = "none",
    jitter: Annotated[
        int, Parameter(help="Run each up to so many seconds later, to spread many schedules.")
    ] = 0,
    pause_after: Annotated[
        int, Parameter(help="Pause after so many equal failures in a row; 0 is never.")
    ] = 5,
    compare: Compare = None,
    verify: Verify = "hash",
    bwlimit: Bwlimit = "",
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:  # fmt: skip
    """Copy SRC into DST again and again, in either direction.

    Moments of the past are never run. A moment is run once, whatever crashes.
    """

    async def work(session: Session) -> int:
        asked = await sides(session, addresses.route(src, dst), flags, compare)
        made = await session.client.schedules.create(
            **asked,
            cron=cron,
            zone=zone,
            start_at=_aware(start),
            end_at=_aware(end),
            overlap=overlap,
            catch_up=catch_up,
            jitter_seconds=jitter,
            pause_after=pause_after,
            verify=verify,
            bwlimit=bwlimit,
        )
        _show(made, session.terminal)
        session.terminal.say(f"Try it now: cloudcopy schedule run {made.id}")
        return exits.DONE

    return Call(options, work)


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List schedules."""

    async def work(session: Session) -> int:
        found = await session.client.schedules.list()
        session.terminal.many(
            found,
            ("ID", "STATE", "WHEN", "FROM", "TO", "NEXT", "LAST SUCCESS"),
            [
                (each.id, _state(each), _when(each), *_places(each), each.next_at,
                 each.last_success)
                for each in found
            ],
            none="There are no schedules. Make one with: cloudcopy schedule create SRC DST --cron",
        )  # fmt: skip
        return exits.DONE

    return Call(options, work)


@app.command
def show(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Show one schedule, its next five runs and its last thirty."""
    return _ask(lambda schedules: schedules.get(id), "", options)


@app.command
def pause(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Run nothing until it is resumed. A copy that runs goes on."""
    then = f"Let it go on: cloudcopy schedule resume {id}"
    return _ask(lambda schedules: schedules.pause(id), then, options)


@app.command
def resume(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Let a paused schedule go on with its next run.

    Its failures are forgotten, and it runs with your key from now on.
    """
    return _ask(lambda schedules: schedules.resume(id), "", options)


@app.command
def run(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Run it once, now, also while it is paused.

    The id of the transfer is printed; this does not wait for it.
    """

    async def work(session: Session) -> int:
        terminal = session.terminal
        made = await session.client.schedules.run(id)
        if made.transfer is None and made.outcome != "waiting":
            terminal.problem(
                f"Schedule {id} was not run: {made.reason}",
                (f"See: cloudcopy schedule show {id}",),
                code=f"run_{made.outcome}",
            )
            return exits.FAILED
        if terminal.json:
            terminal.data(made.model_dump(mode="json"))
        elif made.transfer is not None:
            terminal.line(made.transfer)
            terminal.say(f"Follow it: cloudcopy transfer watch {made.transfer}")
        else:
            terminal.say("It is run once the run before it has ended.")
        return exits.DONE

    return Call(options, work)


@app.command
def delete(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Forget a schedule and its history. Copies that it made go on."""

    async def work(session: Session) -> int:
        await session.client.schedules.delete(id)
        session.terminal.say(f"Schedule {id} is deleted.")
        return exits.DONE

    return Call(options, work)


def _ask(ask: Callable[[Schedules], Awaitable[ScheduleView]], then: str, options: Options) -> Call:
    async def work(session: Session) -> int:
        _show(await ask(session.client.schedules), session.terminal)
        session.terminal.say(then)
        return exits.DONE

    return Call(options, work)


def _show(schedule: ScheduleView, terminal: Terminal) -> None:
    source, destination = _places(schedule)
    terminal.one(
        schedule,
        (
            ("id", schedule.id),
            ("state", _state(schedule)),
            ("why", schedule.paused_why),
            ("when", _when(schedule)),
            ("from", source),
            ("to", destination),
            ("start", schedule.start_at),
            ("end", schedule.end_at),
            ("overlap", schedule.overlap),
            ("catch up", schedule.catch_up),
            ("jitter", f"{schedule.jitter_seconds} s" if schedule.jitter_seconds else ""),
            ("pause after", f"{schedule.pause_after} equal failures" if schedule.pause_after
             else "never"),
            ("flags", " ".join(schedule.flags)),
            ("compare", schedule.compare),
            ("verify", schedule.verify),
            ("limit", schedule.bwlimit),
            ("success", schedule.last_success),
            *(("next", each) for each in schedule.next_runs),
            ("runs", "".join(_mark(each) for each in reversed(schedule.runs))),
            *(("run", _told(each)) for each in schedule.runs),
        ),
    )  # fmt: skip


def _mark(run: RunView) -> str:
    """One character of the history strip, which is read from left to right."""
    return _STRIP.get(run.state or "", "✖" if run.outcome == "refused" else "·")


def _told(run: RunView) -> str:
    what: str = run.state or run.outcome
    if run.missed > 1:
        what = f"{what} {run.missed} times"
    by_hand = "by hand" if run.manual else ""
    parts = (f"{run.slot:%Y-%m-%d %H:%M:%S}Z", what, run.transfer, by_hand, run.reason, run.failure)
    return "  ".join(dict.fromkeys(part for part in parts if part))


def _state(schedule: ScheduleView) -> str:
    return f"{schedule.state}, overdue" if schedule.overdue else schedule.state


def _when(schedule: ScheduleView) -> str:
    return f"{schedule.cron} [{schedule.zone}]"


def _places(schedule: ScheduleView) -> tuple[str, str]:
    instance, connection = f"@{schedule.instance_label}:", f"{schedule.connection_name}:"
    if schedule.direction == "instance_to_cloud":
        return f"{instance}{schedule.src}", f"{connection}{schedule.dst}"
    return f"{connection}{schedule.src}", f"{instance}{schedule.dst}"


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
