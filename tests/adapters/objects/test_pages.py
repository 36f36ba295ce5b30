"""A directory that is listed in stretches is the one that is listed in one go."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from cloudcopy.adapters.objects.child import pages as listing
from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.pages import hints, pages

PAGE = 100


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "STRETCH", 90)


class Store:
    """Answers listings as S3 does. In `order`, which S3 keeps and others may not."""

    def __init__(self, keys: list[str], order: Any = str.encode) -> None:
        self.keys = sorted(keys, key=order)
        self.asked: list[Mapping[str, str]] = []
        self.sizes: dict[str, int] = {}
        self.signed = self

    def whole(self, call: Call, method: str, place: str, *, query: Mapping[str, str]):
        self.asked.append(query)
        start = query.get("continuation-token") or query.get("start-after", "")
        prefix = query["prefix"]
        found: dict[str, str] = {}
        last = truncated = ""
        for key in self.keys:
            if not key.startswith(prefix) or (start and key.encode() <= start.encode()):
                continue
            if len(found) == PAGE:
                truncated = last
                break
            inside, slash, _ = key[len(prefix) :].partition("/")
            name = f"{prefix}{inside}{slash}"
            last = key
            found[name] = (
                f"<CommonPrefixes><Prefix>{quote(name)}</Prefix></CommonPrefixes>"
                if slash
                else f"<Contents><Key>{quote(name)}</Key><Size>1</Size></Contents>"
            )
        more = "true" if truncated else "false"
        token = f"<NextContinuationToken>{truncated}</NextContinuationToken>" if truncated else ""
        body = f"<R><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{token}"
        return {}, f"{body}{''.join(found.values())}</R>".encode()


def listed(store: Store, cuts: list[str]) -> tuple[list[str], list[str]]:
    found = list(pages(store, Call(), "bucket/d", cuts=lambda: cuts))  # type: ignore[arg-type]
    names = [key for page in found for key, _ in page.objects]
    return names, [each for page in found for each in page.directories]


NAMES = [f"f{number:05}" for number in range(5 * PAGE)]
KEYS = [*(f"d/{name}" for name in NAMES), "d/f00095x/below", "d/f02/below", "d/é", "d/z/a", "e/x"]


@pytest.mark.parametrize("keys", [KEYS, [each for each in KEYS if each.count("/") == 1]])
@pytest.mark.parametrize(
    "known",
    [
        NAMES,
        NAMES[:300],
        [f"g{number}" for number in range(300)],
        [*NAMES[::2], *(f"{name}-gone" for name in NAMES)],
    ],
)
def test_stretches_make_up_the_whole_whatever_the_hints_are(known: list[str], keys: list[str]):
    store = Store(keys)
    names, directories = listed(store, hints(known))
    assert len(names) == len(set(names))
    assert (set(names), sorted(directories)) == (
        {f"d/{name}" for name in [*NAMES, "é"]},
        ["d/f00095x/", "d/f02/", "d/z/"] if keys is KEYS else [],
    )
    assert any("start-after" in each for each in store.asked) is (keys is not KEYS)


def test_a_store_that_sorts_in_its_own_way_is_listed_in_one_go():
    store = Store([each for each in KEYS if each.count("/") == 1], order=lambda key: key[::-1])
    store.whole = unsorted(store.whole)  # type: ignore[method-assign]
    names, _ = listed(store, hints(NAMES))
    assert store.asked[-1].get("start-after") is None
    assert len(names) <= len(NAMES) + 1


def unsorted(whole: Any) -> Any:
    """The same answers, with the first two keys of each the other way round."""

    def swapped(*given: Any, **more: Any) -> Any:
        headers, body = whole(*given, **more)
        head, *rest = body.split(b"<Contents>")
        if len(rest) > 2:
            last, end, tail = rest[-1].partition(b"</Contents>")
            rest = [rest[1], rest[0], *rest[2:-1], last + end + tail]
        return headers, b"<Contents>".join([head, *rest])

    return swapped


def test_a_directory_sorted_without_its_slash_hides_no_file():
    def order(key: str) -> bytes:
        return key.replace("/", "\0").encode()

    keys = [*(f"d/{name}" for name in NAMES), "d/f00189/x", "d/f00189!", "d/f00190!", "d/f00190/x"]
    names, _ = listed(Store(keys, order=order), hints([*NAMES, "f00189!"]))
    assert set(names) == {each for each in keys if each.count("/") == 1}


def test_what_fits_on_a_page_is_asked_for_once():
    store = Store(KEYS[: PAGE - 1])
    assert len(listed(store, hints(NAMES))[0]) == PAGE - 1
    assert len(store.asked) == 1


def test_a_small_directory_is_not_cut():
    assert hints(NAMES[:PAGE]) == []
