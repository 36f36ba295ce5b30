"""From a fresh Python process to a confined program: what must happen between fork and exec.

Run as `python -I -S launch.py FD`, with a `Plan`, marshalled, in the pipe FD, so that nothing of
it is in an argument list or on disk. It imports the standard library only, the agent's own
packages are out of reach for it, and of that what starts fast: json, pathlib, signal and typing
would take as long again as all the rest.

Everything is inherited through exec except the descriptors that the plan does not keep. A
failure is written to the descriptor `told`, which closes by itself when exec succeeds.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from cloudcopy.adapters.sandbox.plan import Plan

LISTENING: Final = 3  # sd_listen_fds(3): where a program looks for a socket it inherits
STAGE: Final = "/tmp"  # noqa: S108 - hidden under a private mount, see _stage


# The same on every architecture of Linux but MIPS.
_SIGKILL: Final = 9
_SIGPIPE: Final = 13
_SIGXFSZ: Final = 25

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

# Numbers from 424 on are the same on every architecture.
_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446

_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 4
_CLONE_NEWNS: Final = 0x00020000
_MS_NOSUID_NODEV: Final = 2 | 4
_MS_PRIVATE_REC: Final = (1 << 18) | (1 << 14)

# include/uapi/linux/landlock.h
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_SOCK, _MAKE_FIFO, _MAKE_SYM = 1 << 9, 1 << 10, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ: Final = _READ_FILE | _READ_DIR
_CHANGE: Final = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM
    | _REFER | _TRUNCATE
)  # fmt: skip
RIGHTS: Final = {
    "run": _READ_FILE | _EXECUTE,
    "read": _READ,
    "list": _READ_DIR,
    "change": _CHANGE,
    "serve": _CHANGE | _MAKE_SOCK,
    "device": _READ_FILE | _WRITE_FILE,
    "programs": _READ | _EXECUTE,
    "live": _CHANGE | _EXECUTE | _MAKE_SOCK | _MAKE_FIFO,
    "gpu": _READ_FILE | _WRITE_FILE | _IOCTL_DEV,
}
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_HANDLED_BITS: Final = {1: 13, 2: 14, 3: 15, 4: 15}  # rights known to each ABI; 16 from the fifth
_NET_ABI: Final = 4  # the ruleset has a second field from this one on
_SCOPE_ABI: Final = 6  # and a third
_SCOPED: Final = 1 | 2  # no abstract sockets and no signals to the outside
_CREATE_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1


def landlock_abi() -> int:
    """The version of Landlock this kernel offers; 0 when it has none or forbids it."""
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_VERSION)
    return max(0, int(version))


def _done(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _call(what: str, number: int, *arguments: object) -> int:
    return _done(int(_libc.syscall(ctypes.c_long(number), *arguments)), what)


def _stage(mounts: list[tuple[int, str]]) -> None:
    """Mount what the descriptors name where a user can reach it who cannot enter its parents.

    The copies of the mounts are made before the namespace is left: the kernel takes them
    only from the namespace in which the descriptors were opened.
    """
    tree = _OPEN_TREE_CLONE | _AT_EMPTY_PATH | _AT_RECURSIVE | os.O_CLOEXEC
    trees = [(_call("open_tree", _OPEN_TREE, fd, b"", tree), name) for fd, name in mounts]
    _done(_libc.unshare(_CLONE_NEWNS), "unshare")
    _done(_libc.mount(None, b"/", None, ctypes.c_ulong(_MS_PRIVATE_REC), None), "mount")
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV)
    _done(_libc.mount(b"stage", STAGE.encode(), b"tmpfs", flags, b"mode=0755"), "mount")
    for fd, name in trees:
        place = f"{STAGE}/{name}"
        if _is_directory(fd):
            os.mkdir(place)  # noqa: PTH102
        else:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o644))
        _call(
            "move_mount", _MOVE_MOUNT, fd, b"", -100, os.fsencode(place), _MOVE_MOUNT_F_EMPTY_PATH
        )
        os.close(fd)


def _become(user: tuple[int, int]) -> None:
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _die_with(parent: int) -> None:
    """After `_become`: a change of user clears the request. The parent may be dead already."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), _SIGKILL)


def _is_directory(fd: int) -> bool:
    return os.path.isdir(f"/proc/self/fd/{fd}")  # noqa: PTH112


def restrict(rules: list[tuple[int | str, str]]) -> None:
    """Confine this thread, and what it starts, to `rules` for ever (`Plan.rules`)."""
    abi = landlock_abi()
    handled = (1 << _HANDLED_BITS.get(abi, 16)) - 1
    fields = [handled]
    if abi >= _NET_ABI:
        fields.append(0)  # the network is the program's purpose
    if abi >= _SCOPE_ABI:
        fields.append(_SCOPED)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _call("landlock", _LANDLOCK_CREATE_RULESET, attributes, size, 0)
    for place, right in rules:
        try:
            fd = os.open(place, os.O_PATH | os.O_CLOEXEC) if isinstance(place, str) else place
        except FileNotFoundError:
            continue
        allowed = RIGHTS[right] & handled
        if not _is_directory(fd):
            allowed &= _FILE_RIGHTS
        rule = struct.pack("=Qi", allowed, fd)
        _call("landlock", _LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _call("landlock", _LANDLOCK_RESTRICT_SELF, ruleset, 0)


def _inherit_only(keep: list[int]) -> None:
    wanted = {0, 1, 2, *keep}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            os.set_inheritable(int(name), int(name) in wanted)
        except OSError:
            continue  # the listing's own descriptor


def _run(plan: Plan) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if plan["stage"]:
        _stage(plan["stage"])
    if plan["user"]:
        _become(plan["user"])
    _die_with(plan["parent"])
    if plan["cwd"] is not None:
        os.fchdir(plan["cwd"])
    _inherit_only(plan["keep"])
    if plan["rules"] is not None:
        restrict(plan["rules"])
    if plan["listening"] is not None:
        os.dup2(plan["listening"], LISTENING)
        os.set_inheritable(LISTENING, True)
        plan["env"] |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    for number in (_SIGPIPE, _SIGXFSZ):  # Python ignores them; programs must not
        _libc.signal(number, None)
    os.execve(plan["program"], plan["argv"], plan["env"])  # noqa: S606 - no shell is the point


def main() -> None:
    with open(int(sys.argv[1]), "rb") as pipe:  # noqa: PTH123 - a descriptor has no path
        plan: Plan = marshal.load(pipe)  # noqa: S302 - our parent wrote it
    try:
        _run(plan)
    except OSError as error:
        os.write(plan["told"], (error.strerror or type(error).__name__).encode())
        sys.exit(127)


if __name__ == "__main__":
    main()
