"""Our flags in rclone's words, rendered anew from checked values.

Sources: rclone docs "Global Flags"; rclone-facts (measured) for the defaults that are ours.
"""

from typing import Final

from cloudcopy.domain.flags import Flags

HTPASSWD: Final = "rc.htpasswd"

# A copy never deletes, so this one changes nothing; rclone warns when it stands alone.
_WITHOUT_EFFECT: Final = frozenset({"--delete-excluded"})

OURS: Final = (
    # Twins that differ only in Unicode form are two files; rclone would drop one (exit 0).
    "--no-unicode-normalization",
    # The JSON log on stderr is the per-file ledger: one line for each file and each error.
    "--use-json-log",
    "--log-level=INFO",
    # No status lines between: the numbers are asked for.
    "--stats=0",
)


def as_arguments(flags: Flags) -> list[str]:
    """The caller's flags as rclone arguments, each one item, never with a leading value."""
    return [
        *sorted(flags.switches - _WITHOUT_EFFECT),
        *(f"{name}={value}" for name, value in flags.values),
        *(f"{name}={value}" for name, value in flags.rules),
    ]


# A stalled connection ends here rather than hanging the copy for ever.
PATIENT: Final = ("--contimeout=30s", "--timeout=5m")
# For a look at a store: somebody waits for the answer, and "no" is one.
IMPATIENT: Final = ("--low-level-retries=1", "--contimeout=5s", "--timeout=10s")


# Never served: rclone takes the socket it inherits. One that did not would listen on a port
# that everybody knows, so it is given an address that cannot be, and ends.
_NOWHERE: Final = "unix:///dev/null/rc"


def as_daemon(
    run: str, config: tuple[str, ...], flags: Flags, *, patience: tuple[str, ...]
) -> list[str]:
    """All arguments of one `rclone rcd`, which serves one copy on a socket that it inherits, to
    whoever knows the password whose hash is in `run`."""
    return [
        "rcd",
        *config,
        f"--rc-addr={_NOWHERE}",
        f"--rc-htpasswd={run}/{HTPASSWD}" if run else f"--rc-htpasswd={HTPASSWD}",
        # A call lasts as long as its copy does; rclone's own limit is one hour.
        "--rc-server-read-timeout=8760h",
        "--rc-server-write-timeout=8760h",
        *OURS,
        *patience,
        *as_arguments(flags),
    ]
