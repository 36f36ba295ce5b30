"""The calls of rclone's remote control that a copy needs, with rclone's answers."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from cloudcopy.adapters.objects.child import local
from cloudcopy.adapters.objects.child.call import Call, Counts, Limit, log
from cloudcopy.adapters.objects.child.cloud import IN_PARTS, Cloud, Object
from cloudcopy.adapters.objects.child.copying import Copier, filtered
from cloudcopy.adapters.objects.child.failing import NOT_FOUND, Failure, Unsupported
from cloudcopy.adapters.objects.child.flat import Tree, tree
from cloudcopy.adapters.objects.child.names import directory, place, plain, shown, stamp
from cloudcopy.adapters.objects.child.options import Options, rate
from cloudcopy.adapters.objects.child.pages import begin, hints, pages
from cloudcopy.adapters.objects.child.sums import Sums

NO_AGE: Final = 2**63 - 1
_LOOKS: Final = 64  # at objects, at once
_HASHES: Final = 4  # files that are read for their hashes, at once
_LOCAL: Final = {"Features": {"SlowHash": True, "SlowModTime": False}, "Precision": 1}
_STORE: Final = {"Features": {"SlowHash": False, "SlowModTime": True}, "Precision": 1}
_KIND: Final = "md5"
Item = dict[str, Any]
T = TypeVar("T")


class Methods:
    """For any thread. Until the first call that changes something, what this program cannot do
    as rclone does it is `Unsupported`; and then it does nothing at all any more."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.cloud = Cloud(options)
        self.sums = Sums()
        self.limit = Limit(options.rate)
        self.copier = Copier(
            cloud=self.cloud,
            sums=self.sums,
            limit=self.limit,
            parts=local.Unfinished(options.mark),
        )
        self._counts: dict[str, Counts] = {}
        self._turn = threading.Lock()
        self._cuts: dict[str, list[str]] = {}
        self._instance = ""  # the directory there that the copy is about
        self._began = False
        self._unsupported: Unsupported | None = None
        self._table: dict[str, Callable[[Call, Item], Item]] = {
            "rc/noop": lambda call, given: {},
            "operations/fsinfo": self._info,
            "options/get": lambda call, given: {"filter": {"MinAge": NO_AGE, "MaxAge": NO_AGE}},
            "operations/list": self._list,
            "operations/stat": self._stat,
            "operations/deletefile": self._delete,
            "operations/copyfile": self._copy_file,
            "sync/copy": self._copy,
            "core/stats": lambda call, given: self._group(given.get("group", "")).told(),
            "core/bwlimit": self._bandwidth,
            "core/connect": self._connect,
        }

    def answer(self, call: Call, method: str, parameters: Item) -> Item:
        """Raises Failure, Stopped."""
        if self._unsupported:
            raise self._unsupported
        known = self._table.get(method)
        try:
            if known is None:
                raise Unsupported(f"unsupported: {method}")
            return known(call, parameters)
        except Unsupported as error:
            if self._began:
                raise Failure(str(error)) from None
            self._unsupported = error
            raise

    def _group(self, name: str) -> Counts:
        with self._turn:
            return self._counts.setdefault(name, Counts())

    def _info(self, call: Call, given: Item) -> Item:
        self._instance = directory(given["fs"]) or self._instance
        return {**(_STORE if directory(given["fs"]) is None else _LOCAL), "Hashes": [_KIND]}

    def _bandwidth(self, call: Call, given: Item) -> Item:
        self.limit.rate = rate(given["rate"])
        return {}

    def _connect(self, call: Call, given: Item) -> Item:
        """Not one of rclone's: open connections, which ask for nothing yet."""
        count = int(given["count"])
        _at_once(count, lambda _: self.cloud.signed.connect(call), range(count))
        return {}

    # Listing

    def _list(self, call: Call, given: Item) -> Item:
        fs, below, opt = given["fs"], given.get("remote", ""), given.get("opt", {})
        server = bool(given.get("_config", {}).get("UseServerModTime"))
        names = filtered(given)
        root = directory(fs)
        at = place(fs, below) if root is None else ""
        begun = None
        if names is None and given.get("whole") and at and not opt.get("recurse"):
            begun = begin(self.cloud, call, at)  # in case that it is not a small one
            small = tree(self.cloud, call, at)
            if small:
                return {"list": self._whole(at, below, small, opt, server=server), "whole": True}
        if names is not None:
            found = self._named(call, fs, names, opt, server=server)
        elif root is not None:
            found = self._local(call, root, below, opt)
        else:
            cuts = sorted({str(each) for each in given.get("splits", ()) if each}, key=str.encode)
            found = self._store(call, at, below, opt, server=server, known=cuts, begun=begun)
        return {"list": found}

    def _whole(self, at: str, below: str, found: Tree, opt: Item, *, server: bool) -> list[Item]:
        above = f"{below}/" if below else ""
        return [
            *({"Path": above + each, "IsDir": True} for each in found.directories),
            *(
                self._object(f"{at}/{name}", above + name, each, opt, server=server)
                for name, each in found.files
            ),
        ]

    def _local(self, call: Call, root: str, below: str, opt: Item) -> list[Item]:
        entries = [each for each in local.directory(root, below) if self._taken(each.path)]
        files = [each for each in entries if not each.directory]
        self._cut(below, [shown(each.path).rpartition("/")[2] for each in files])
        return [
            *({"Path": shown(each.path), "IsDir": True} for each in entries if each.directory),
            *self._hashed(call, root, files, opt),
        ]

    def _hashed(self, call: Call, root: str, files: list[local.Entry], opt: Item) -> list[Item]:
        if not opt.get("showHash"):
            return [_file(each, opt) for each in files]
        hashes = _at_once(_HASHES, lambda each: self._md5(call, root, each), files)
        return [
            _file(each, opt) | ({"Hashes": {_KIND: hash}} if hash else {})
            for each, hash in zip(files, hashes, strict=True)
        ]

    def _md5(self, call: Call, root: str, entry: local.Entry) -> str:
        """Empty where the file cannot be read, which is logged."""
        known = self.sums.of(entry.status)
        if known:
            return known
        try:
            return local.md5(call, root, entry.path, self.sums)
        except Failure as error:
            log("error", f"Failed to read hash: {error}", shown(entry.path), local.OBJECT)
            return ""

    def _store(
        self,
        call: Call,
        at: str,
        below: str,
        opt: Item,
        *,
        server: bool,
        known: Sequence[str],
        begun: Future[bytes] | None,
    ) -> list[Item]:
        if not at:
            return [{"Path": each, "IsDir": True} for each in self.cloud.buckets(call)]
        _, _, above = at.partition("/")
        prefix = f"{above}/" if above else ""
        deep = bool(opt.get("recurse"))
        items: list[Item] = []
        cuts = None if deep else lambda: known or self._cuts.get(below) or self._guessed(below)
        names: list[str] = []
        for page in pages(self.cloud, call, at, deep=deep, cuts=cuts, begun=begun):
            for key, each in page.objects:
                name = key[len(prefix) :]
                if not name or (each.size == 0 and name.endswith("/")):
                    continue  # what some tools make to stand for a directory
                names.append(name)
                path = f"{below}/{name}" if below else name
                if self._taken(path):
                    items.append(self._object(f"{at}/{name}", path, each, opt, server=server))
            for key in page.directories:
                name = key[len(prefix) :].removesuffix("/")
                path = f"{below}/{name}" if below else name
                if self._taken(path if name else "/"):
                    items.append({"Path": path, "IsDir": True})
        if not deep:
            self._cut(below, names)
        return items

    def _cut(self, below: str, names: list[str]) -> None:
        """Remember where to cut the directory the next time, on either side."""
        found = hints(names)
        if found:
            self._cuts[below] = found

    def _guessed(self, below: str) -> list[str]:
        """Where to cut a directory that was not listed yet: most of its names are those that the
        instance has there."""
        if not self._instance:
            return []
        try:
            found = os.listdir(f"{self._instance}/{below}")  # noqa: PTH208 - names alone
        except OSError:
            return []
        return hints([each for each in found if plain(each)])

    def _taken(self, path: str) -> bool:
        """Whether it goes into a listing. Raises Unsupported."""
        if plain(path):
            return True
        if not self._began:
            raise Unsupported("unsupported: a name that rclone writes in a way of its own")
        return bool(path.strip("/"))

    # Single files

    def _named(
        self, call: Call, fs: str, names: list[str], opt: Item, *, server: bool
    ) -> list[Item]:
        root = directory(fs)
        if root is not None:
            entries = [local.look(root, each) for each in names if self._taken(each)]
            files = [each for each in entries if each and not each.directory]
            return self._hashed(call, root, files, opt)

        def look(name: str) -> Item | None:
            found = self.cloud.head(call, place(fs, name)) if self._taken(name) else None
            if found is None:
                return None
            return self._object(place(fs, name), name, found, opt, server=server)

        found = _at_once(_LOOKS, look, names)
        return [each for each in found if each]

    def _stat(self, call: Call, given: Item) -> Item:
        fs, path, opt = given["fs"], given["remote"], given.get("opt", {})
        server = bool(given.get("_config", {}).get("UseServerModTime"))
        root = directory(fs)
        if root is not None:
            entry = local.look(root, path) if self._taken(path) else None
            if entry is None or (entry.directory and opt.get("filesOnly")):
                return {"item": None}
            if entry.directory:
                return {"item": {"Path": shown(path), "IsDir": True}}
            return {"item": self._hashed(call, root, [entry], opt)[0]}
        at = place(fs, path)
        if opt.get("dirsOnly"):
            bucket, _, below = at.partition("/")
            if below:
                raise Unsupported("unsupported: a look at a directory")
            found = self.cloud.has_bucket(call, bucket)
            return {"item": {"Path": path, "IsDir": True} if found else None}
        item = self._named(call, fs, [path], opt, server=server)
        return {"item": item[0] if item else None}

    def _object(self, at: str, path: str, found: Object, opt: Item, *, server: bool) -> Item:
        item: Item = {"Path": path, "Size": found.size, "IsDir": False}
        if not opt.get("noModTime"):
            known = None if server else found.mtime
            item["ModTime"] = found.arrived if known is None else stamp(known)
        if opt.get("showHash"):
            hash, tag = found.md5, found.tag if IN_PARTS.fullmatch(found.tag) else ""
            if not hash and tag and self.sums.told(at, tag):
                hash = tag
            item["Hashes"] = {_KIND: hash} if hash else {}
            if tag:
                item["Hashes"]["etag"] = tag
        return item

    # Changes

    def _copy(self, call: Call, given: Item) -> Item:
        names = filtered(given)
        if names is None:
            raise Unsupported("unsupported: a copy of what is not named")
        self._began = True
        counts = self._group(given.get("_group", ""))
        options = self._options.chosen(given.get("_config", {}))
        self.copier.named(call, given["srcFs"], given["dstFs"], names, counts, options=options)
        return {}

    def _copy_file(self, call: Call, given: Item) -> Item:
        self._began = True
        self.copier.one(
            call,
            (given["srcFs"], given["srcRemote"]),
            (given["dstFs"], given["dstRemote"]),
            self._group(given.get("_group", "")),
            options=self._options.chosen(given.get("_config", {})),
        )
        return {}

    def _delete(self, call: Call, given: Item) -> Item:
        self._began = True
        fs, path = given["fs"], given["remote"]
        root = directory(fs)
        if root is not None:
            local.remove(root, path)
            return {}
        if self.cloud.head(call, place(fs, path)) is None:
            raise Failure("object not found", NOT_FOUND)
        self.cloud.delete(call, place(fs, path))
        return {}


def _file(entry: local.Entry, opt: Item) -> Item:
    item: Item = {"Path": shown(entry.path), "Size": entry.status.st_size, "IsDir": False}
    if not opt.get("noModTime"):
        item["ModTime"] = stamp(entry.status.st_mtime_ns)
    return item


def _at_once(most: int, work: Callable[[Any], T], given: Iterable[Any]) -> list[T]:
    """`work` on each, some at once; the first failure is raised."""
    wanted = list(given)
    if len(wanted) <= 1:
        return [work(each) for each in wanted]
    with ThreadPoolExecutor(min(most, len(wanted))) as pool:
        return list(pool.map(work, wanted))
