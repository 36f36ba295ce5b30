"""The program's own modules, compiled by whoever starts it and handed over its socket.

Compiled files beside the sources are often missing: a package's owner is not the agent's user, or
`PYTHONDONTWRITEBYTECODE` is set, as in many containers. Each start would compile it all again,
which takes longer than anything else in it. And what is handed over need not be shown.
"""

import marshal
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Final

import obstore

from cloudcopy.adapters.objects import child
from cloudcopy.adapters.objects.child.main import main
from cloudcopy.adapters.objects.child.wire import LENGTH_BYTES, LISTENING
from cloudcopy.adapters.sandbox import launch

# What the interpreter runs: without one more module than it has anyway.
START: Final = f"""\
import os, sys, marshal
from importlib.machinery import ModuleSpec
def read(size):
    parts = []
    while size:
        parts.append(os.read({LISTENING}, size))
        if not parts[-1]:
            sys.exit(1)
        size -= len(parts[-1])
    return b"".join(parts)
known = marshal.loads(read(int.from_bytes(read({LENGTH_BYTES}), "big")))
class Handed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in known:
            return None
        spec = ModuleSpec(name, Handed, is_package=known[name][1] is not None)
        if known[name][1]:
            spec.submodule_search_locations.extend(known[name][1])
        return spec
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(known[module.__name__][0], module.__dict__)
sys.meta_path.insert(0, Handed)
from {main.__module__} import main
main()
"""

Module = tuple[CodeType, list[str] | None]
"""Its code, and of a package the directories where what is not handed over lies."""


@cache
def bundled() -> bytes:
    """What `START` reads, with its length before it. The first call takes 0.1 s or more."""
    ours = [name for name in sys.modules if name.startswith(child.__name__)]
    ours.append(launch.__name__)
    for each in (child.__name__, launch.__name__):
        above = each.split(".")
        ours += [".".join(above[:depth]) for depth in range(1, len(above))]
    theirs = [name for name in sys.modules if name.partition(".")[0] == obstore.__name__]
    found: dict[str, Module] = {}
    for name in dict.fromkeys((*ours, *theirs)):
        known = _module(name, shown=name in theirs)
        if known:
            found[name] = known
    body = marshal.dumps(found)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _module(name: str, *, shown: bool) -> Module | None:
    """None for what is not written in Python."""
    module = sys.modules.get(name)
    spec = module.__spec__ if module else None
    if spec is None:
        return None
    places = spec.submodule_search_locations
    inside = None if places is None else list(places) if shown else []
    if isinstance(spec.loader, SourceFileLoader):
        code = spec.loader.get_code(name)
        return (code, inside) if code else None
    if places is not None and spec.origin is None:  # a directory without a file of its own
        return compile("", name, "exec"), inside
    return None
