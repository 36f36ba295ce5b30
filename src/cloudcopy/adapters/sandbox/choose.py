"""Which sandbox a machine's copies run in: the best that it has, or none that was asked for."""

from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.adapters.sandbox.landlock import Landlock, Unconfined
from cloudcopy.domain.errors import Invalid, Unavailable

NAMES: Final = ("bubblewrap", "landlock", "unconfined")  # the best first


async def choose(*, bwrap: Path | None, allow_unconfined: bool, prefer: str | None) -> Sandbox:
    """The first of `NAMES` that works here, or exactly the one that is preferred.

    Args:
        bwrap: Where bubblewrap's program is; None when it is not installed.
        allow_unconfined: The operator accepts that nothing keeps a copy inside its instance.

    Raises:
        Invalid: `prefer` is none of `NAMES`.
        Unavailable: none of them works here.
    """
    if prefer not in (None, *NAMES):
        raise Invalid("sandbox", f"{prefer!r} is unknown; known: {', '.join(NAMES)}")
    missing = []
    for name in (prefer,) if prefer else NAMES:
        match name:
            case "bubblewrap":
                if bwrap is None:
                    missing.append("bubblewrap is not installed")
                    continue
                namespaces = Bubblewrap(bwrap)
                if await namespaces.usable():
                    return namespaces
                missing.append(
                    "bubblewrap cannot start a sandbox here: it is older than 0.8.0, "
                    "or user namespaces are forbidden"
                )
            case "landlock":
                rules = Landlock()
                if await rules.usable():
                    return rules
                missing.append("this kernel has no Landlock, or it is forbidden")
            case _:
                if allow_unconfined:
                    return Unconfined()
                missing.append("running rclone unconfined was not allowed")
    raise Unavailable(
        f"rclone cannot be confined on this machine: {'; '.join(missing)}",
        next=(
            "Install bubblewrap (apt install bubblewrap), or run a kernel with Landlock (5.13).",
            "Or accept copies that nothing keeps inside their instance: --allow-unconfined.",
        ),
    )
