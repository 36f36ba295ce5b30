"""A store's answers, which are XML."""

from xml.etree import ElementTree

from cloudcopy.adapters.objects.child.failing import Failure


def parsed(body: bytes) -> ElementTree.Element:
    """Without the names' name space. Raises Failure."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - expat bounds what entities become
    except ElementTree.ParseError:
        raise Failure("unexpected EOF in the store's answer", passing=True) from None
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root


def text(element: ElementTree.Element, name: str) -> str:
    """Of a child; empty where there is none."""
    found = element.find(name)
    return (found.text or "") if found is not None else ""
