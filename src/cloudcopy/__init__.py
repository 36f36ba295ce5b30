"""cloudcopy: data between compute instances and cloud stores.

The Python client is here: `Client`, whose methods are awaited, and `SyncClient`, whose methods
block. What they return and raise is in `cloudcopy.sdk`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudcopy.sdk import Client, SyncClient

__all__ = ["Client", "SyncClient"]


def __getattr__(name: str) -> object:
    """Imported when asked for: a server, an agent and ``--help`` need no client."""
    if name in __all__:
        from cloudcopy import sdk  # noqa: PLC0415 - see above

        return getattr(sdk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
