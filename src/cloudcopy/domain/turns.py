"""How many transfers may have their turn at once. The rest waits, visibly queued.

A transfer that has its turn is known to its agent and may be started at any moment; it keeps
the turn until it has ended or is paused, whatever happens to its machine.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At once, of each account, of each connection and of each instance.

    An agent runs fewer when its own `--copies` is smaller; the rest waits there.
    """

    account: int = 64
    connection: int = 32
    instance: int = 16
