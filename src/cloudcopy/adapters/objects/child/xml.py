"""A store's answers, which are XML."""

from typing import Final
from xml.etree import ElementTree

from cloudcopy.adapters.objects.child.failing import Failure

_S3: Final = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def parsed(body: bytes) -> ElementTree.Element:
    """Without the names' name space. Raises Failure."""
    try:
        # Left out before, it need not be taken from each of ten thousand names.
        root = ElementTree.fromstring(body.replace(_S3, b"", 1))  # noqa: S314 - expat bounds what entities become
    except ElementTree.ParseError:
        raise Failure("unexpected EOF in the store's answer", passing=True) from None
    if root.tag.startswith("{"):
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]
    return root


def text(element: ElementTree.Element, name: str) -> str:
    """Of a child; empty where there is none."""
    found = element.find(name)
    return (found.text or "") if found is not None else ""
