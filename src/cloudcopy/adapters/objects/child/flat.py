"""A small tree in one request, whatever directories are in it.

One page of a listing without directories is all there is, or it says that there is more. So
nothing depends on the order in which the store lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.cloud import Cloud, Object
from cloudcopy.adapters.objects.child.failing import Failure
from cloudcopy.adapters.objects.child.names import plain
from cloudcopy.adapters.objects.child.pages import objects, remember, under
from cloudcopy.adapters.objects.child.xml import parsed, text

_MORE: Final = b"<IsTruncated>true"


@dataclass(frozen=True, slots=True)
class Tree:
    """Paths below its top."""

    files: Sequence[tuple[str, Object]]
    directories: Sequence[str]


def tree(cloud: Cloud, call: Call, place: str) -> Tree | None:
    """Everything below the directory `place`, as from going through its directories one by one.

    None where it is more than a page, could not be listed, or has a key that is no plain path:
    what that means is said by the listing of the directory that it is in.

    Raises:
        Stopped
    """
    bucket, prefix = under(place)
    query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
    try:
        _, body = cloud.signed.whole(call, "GET", bucket, query=query)
        if _MORE in body:
            return None
        root = parsed(body)
    except Failure:
        return None
    if text(root, "IsTruncated") != "false":
        return None
    found = list(objects(root))
    files: list[tuple[str, Object]] = []
    directories: set[str] = set()
    for key, each in found:
        name = key.removeprefix(prefix)
        path = name.removesuffix("/")
        if not name and not each.size:
            continue  # what some tools make to stand for the directory
        if not plain(path) or not key.startswith(prefix) or (path != name and each.size):
            return None
        above = path.rpartition("/")[0] if path == name else path
        while above and above not in directories:
            directories.add(above)
            above = above.rpartition("/")[0]
        if path == name:
            files.append((name, each))
    remember(cloud, bucket, found)
    return Tree(files, sorted(directories))
