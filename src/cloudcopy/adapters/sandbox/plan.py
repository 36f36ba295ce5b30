"""What `launch.py` is told to do before it becomes a program."""

from typing import TypedDict


class Plan(TypedDict):
    """
    parent: Who started us; without it there is nothing to do.
    told: Where a failure goes.
    keep: Descriptors that the program inherits, besides 0, 1 and 2.
    user: Become this uid and gid.
    stage: Descriptors to mount at `STAGE`/name before that, in a mount namespace of our own.
    cwd: A directory's descriptor.
    rules: Landlock rules, a descriptor or path with a key of `RIGHTS`; None for no Landlock.
    program: A path, or a descriptor.
    listening: A socket's descriptor, which the program finds as `LISTENING`. No other
        descriptor that it or we still need has that number (`child.beside`).
    """

    parent: int
    told: int
    keep: list[int]
    user: tuple[int, int] | None
    stage: list[tuple[int, str]]
    cwd: int | None
    rules: list[tuple[int | str, str]] | None
    program: int | str
    argv: list[str]
    env: dict[str, str]
    listening: int | None
