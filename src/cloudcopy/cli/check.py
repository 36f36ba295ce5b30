"""`cloudcopy check`."""

from typing import Final

from cloudcopy.cli import addresses, files, watching
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.flags import NO_FLAGS, Compare, Flags
from cloudcopy.cli.sides import Destination, Source, accepted, sides
from cloudcopy.sdk import OutcomeName

DIFFERENT: Final[tuple[OutcomeName, ...]] = ("differs", "missing", "extra", "unread")


def check(
    src: Source,
    dst: Destination,
    /,
    *,
    compare: Compare = None,
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`."""

    async def work(session: Session) -> int:
        asked = await sides(session, addresses.route(src, dst), flags, compare)
        begun = await accepted(session, session.client.checks.create(**asked))
        ended = await watching.end(session, begun.id)
        if ended.state == "partial" and ended.result is not None and not options.json:
            await files.tell(session, ended.id, DIFFERENT, total=ended.result.failed)
        return watching.told(session, ended)

    return Call(options, work)
