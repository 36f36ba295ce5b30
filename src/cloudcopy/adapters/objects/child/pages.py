"""Listings of the store, a thousand objects at once.

A store tells the next page only after the one before. Where names of the same directory are known,
from the instance's side or from an earlier listing, it is asked for several stretches of it at
the same time. They are hints: whatever they are, the stretches make up the whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.cloud import MD5, REMEMBERED, Cloud, Object
from cloudcopy.adapters.objects.child.signed import tried
from cloudcopy.adapters.objects.child.xml import parsed, text

STRETCH: Final = 900  # names; a page has 1000, and some may have come meanwhile
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Page:
    """Keys of objects, and of directories with a slash behind."""

    objects: list[tuple[str, Object]]
    directories: list[str]


Cuts = Callable[[], Sequence[str]]


class _Unsorted(Exception):
    """The store does not list in the order of the keys' bytes."""


def hints(names: Sequence[str]) -> list[str]:
    """Where to cut a directory with files of these names; nowhere if it is small."""
    if len(names) < 2 * STRETCH:
        return []
    return sorted(names, key=str.encode)[STRETCH::STRETCH]


def pages(
    cloud: Cloud,
    call: Call,
    place: str,
    *,
    deep: bool = False,
    cuts: Cuts | None = None,
    begun: Future[bytes] | None = None,
) -> Iterator[Page]:
    """What is in the directory `place`.

    Args:
        deep: All objects below it instead, whatever directories they are in.
        cuts: Gives `hints`. It is asked once the first page has come, and is not all.
        begun: What `begin` gave.

    Raises:
        Failure, Stopped
    """
    listing = _Listing(cloud, call, *under(place), deep)
    first, token = listing.page("", "", "", begun)
    if cuts is None:
        yield first
        if token:
            yield from listing.stretch("", "", token)
        return
    prefix = listing.prefix
    stretches = _rest(first, [prefix + each for each in cuts()]) if token else []
    if stretches:
        try:
            with ThreadPoolExecutor(min(_AT_ONCE, len(stretches))) as pool:
                found = list(pool.map(lambda each: list(listing.stretch(*each)), stretches))
        except _Unsorted:
            pass
        else:
            yield first
            yield from (page for some in found for page in some)
            return
    yield first
    if token:
        yield from listing.stretch("", "", token)


def begin(cloud: Cloud, call: Call, place: str) -> Future[bytes]:
    """Ask for the first page of the directory in another thread."""
    listing = _Listing(cloud, call, *under(place), False)
    pool = ThreadPoolExecutor(1)
    asked = pool.submit(listing.asked, listing.query())
    pool.shutdown(wait=False)
    return asked


def under(place: str) -> tuple[str, str]:
    """The bucket, and what the keys begin with that are in the directory."""
    bucket, _, below = place.partition("/")
    return bucket, f"{below}/" if below else ""


def _rest(first: Page, cuts: Sequence[str]) -> list[tuple[str, str]]:
    """The stretches behind the first page; none if it is not known to be sorted."""
    keys = [key.encode() for key, _ in first.objects]
    if first.directories or not keys or keys != sorted(keys):
        return []
    bounds = [each for each in cuts if each.encode() > keys[-1]]
    return list(pairwise([first.objects[-1][0], *bounds, ""])) if bounds else []


@dataclass(frozen=True, slots=True)
class _Listing:
    cloud: Cloud
    call: Call
    bucket: str
    prefix: str
    deep: bool

    def stretch(self, after: str, until: str, token: str = "") -> Iterator[Page]:
        """Keys behind `after`, up to and with `until`; empty is without that bound."""
        while True:
            page, token = self.page(after, until, token)
            yield page
            if not token:
                return

    def page(
        self, after: str, until: str, token: str, begun: Future[bytes] | None = None
    ) -> tuple[Page, str]:
        """One, and what the next one is asked for with; empty for the last one."""
        query = self.query()
        if token:
            query["continuation-token"] = token
        elif after:
            query["start-after"] = after
        ready = [begun] if begun else []
        root = tried(
            self.call, lambda: parsed(ready.pop().result() if ready else self.asked(query))
        )
        page = Page(list(objects(root)), _prefixes(root))
        beyond = False
        if after or until:
            page, beyond = _within(page, after.encode(), until.encode())
        remember(self.cloud, self.bucket, page.objects)
        more = not beyond and text(root, "IsTruncated") == "true"
        return page, text(root, "NextContinuationToken") if more else ""

    def query(self) -> dict[str, str]:
        query = {"list-type": "2", "encoding-type": "url", "prefix": self.prefix}
        return query if self.deep else {**query, "delimiter": "/"}

    def asked(self, query: Mapping[str, str]) -> bytes:
        return self.cloud.signed.whole(self.call, "GET", self.bucket, query=query)[1]


def remember(cloud: Cloud, bucket: str, objects: Sequence[tuple[str, Object]]) -> None:
    """Their sizes, for whoever fetches them."""
    if len(cloud.sizes) < REMEMBERED:
        cloud.sizes.update((f"{bucket}/{key}", each.size) for key, each in objects)


def _within(page: Page, after: bytes, until: bytes) -> tuple[Page, bool]:
    """What of the page lies in the stretch, and whether it went beyond.

    Raises:
        _Unsorted
    """
    keys = [key.encode() for key, _ in page.objects]
    # Some stores sort directories by their names without the slash.
    if page.directories or keys != sorted(keys) or (keys and after and keys[0] <= after):
        raise _Unsorted
    beyond = bool(until) and any(key > until for key in keys)
    within = Page(
        [each for each, key in zip(page.objects, keys, strict=True) if not until or key <= until],
        [],
    )
    return within, beyond


def objects(page: ElementTree.Element) -> Iterator[tuple[str, Object]]:
    quoted = text(page, "EncodingType") == "url"
    for each in page.iterfind("Contents"):
        key = each.findtext("Key", "")
        tag = each.findtext("ETag", "").strip('"').lower()
        yield (
            unquote_plus(key) if quoted else key,
            Object(
                size=int(each.findtext("Size", "")),
                tag=tag,
                arrived=each.findtext("LastModified", ""),
                md5=tag if MD5.fullmatch(tag) else "",
            ),
        )


def _prefixes(page: ElementTree.Element) -> list[str]:
    quoted = text(page, "EncodingType") == "url"
    found = [text(each, "Prefix") for each in page.iterfind("CommonPrefixes")]
    return [unquote_plus(each) if quoted else each for each in found]
