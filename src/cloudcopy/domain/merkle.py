"""A Merkle root over rows, built one row at a time with a logarithm of them in memory.

The tree is that of RFC 6962, section 2.1, with SHA-256: a leaf hashes a zero byte and its
row, a node a one byte and its two children. A row is the canonical JSON (RFC 8785) of a
list of texts and whole numbers. Rows come sorted by path, by code point, each path once.
"""

import hashlib
from json.encoder import encode_basestring as _text  # `json.dumps` takes three times as long

EMPTY = hashlib.sha256(b"").hexdigest()  # RFC 6962: the root of no rows


class Tree:
    """Add rows in order; ask for the root at any time."""

    def __init__(self) -> None:
        self._count = 0
        self._peaks: list[bytes] = []  # roots of perfect subtrees, the largest first

    def __len__(self) -> int:
        return self._count

    def add(self, *row: str | int) -> None:
        """The next row, e.g. ``add("a/b.txt", 12, "9a0364b9e99bb480dd25e1f0284c8555")``.

        Whole numbers must be within ±2⁵³, which canonical JSON can write.
        """
        node = hashlib.sha256(b"\0" + _canonical(row)).digest()
        height = self._count
        while height & 1:
            node = _joined(self._peaks.pop(), node)
            height >>= 1
        self._peaks.append(node)
        self._count += 1

    def root(self) -> str:
        """64 hex digits."""
        if not self._peaks:
            return EMPTY
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = _joined(peak, node)
        return node.hex()


def _joined(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _canonical(row: tuple[str | int, ...]) -> bytes:
    # For texts and whole numbers this is RFC 8785; a lone surrogate has no UTF-8 form.
    parts = [_text(each) if isinstance(each, str) else str(each) for each in row]
    return f"[{','.join(parts)}]".encode(errors="replace")
