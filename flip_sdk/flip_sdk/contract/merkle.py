"""The Merkle tree of RFC 9162 (Certificate Transparency 2), section 2.1, over the entries of an audit log.

A leaf is an entry's hash. Whoever holds two roots can have it proven that the later log only added to the earlier one
(consistency), and whoever holds an entry and a root, that the entry is in the log (inclusion). All of this is pure; the
hashes come from whatever keeps the log (:class:`Nodes`), and those of whole blocks may be kept (:data:`BLOCK`): then a
proof in a log of a million entries reads some hundreds of hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

BLOCK_BITS = 8
BLOCK = 1 << BLOCK_BITS
"""Entries whose subtree's hash is worth keeping; and so on for 256 of those blocks."""
EMPTY = hashlib.sha256().hexdigest()
"""Root of a log without entries."""


class Nodes(Protocol):
    """Where the hashes of a log are read from."""

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        """Hashes of subtrees side by side; fewer than asked where they are not known.

        Args:
            level: 0 for leaves, 8 for subtrees of 256 leaves, 16 for subtrees of 65,536; no other.
            first: place of the first one, of that level.
            count: how many.
        """
        ...


def leaf(entry_hash: str) -> bytes:
    """Hash of a leaf, from an entry's hash in hexadecimal."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(entry_hash)).digest()


def join(left: bytes, right: bytes) -> bytes:
    """Hash of a node, from those under it."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over hashes of equal subtrees, of which only the last may be smaller."""
    row = list(hashes)
    while len(row) > 1:
        odd = [row[-1]] if len(row) % 2 else []
        row = [join(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)] + odd
    return row[0]


class Tree:
    """A log's tree.

    Args:
        nodes: where hashes are read from.
        size: how many entries the log has.
    """

    def __init__(self, nodes: Nodes, size: int) -> None:
        self._nodes, self.size = nodes, size
        self._known: dict[tuple[int, int], bytes] = {}

    def root(self, size: int | None = None) -> str:
        """Root, in hexadecimal, over the first ``size`` entries."""
        upto = self._within(self.size if size is None else size)
        return self._over(0, upto).hex() if upto else EMPTY

    def inclusion(self, sequence: int, size: int | None = None) -> tuple[str, ...]:
        """Proof that entry number ``sequence`` (from 1) is among the first ``size``.

        Raises:
            ValueError: there is no such entry.
        """
        upto = self._within(self.size if size is None else size)
        if not 1 <= sequence <= upto:
            raise ValueError(f"there is no entry {sequence} among {upto}")
        return tuple(found.hex() for found in self._path(sequence - 1, 0, upto))

    def consistency(self, first: int, second: int | None = None) -> tuple[str, ...]:
        """Proof that the first ``second`` entries begin with the first ``first``.

        Raises:
            ValueError: the log is shorter.
        """
        upto = self._within(self.size if second is None else second)
        if not 0 <= first <= upto:
            raise ValueError(f"there are no {first} entries among {upto}")
        if first in {0, upto}:
            return ()
        return tuple(found.hex() for found in self._between(first, 0, upto, whole=True))

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the log has {self.size} entries, not {size}")
        return size

    def _path(self, place: int, start: int, stop: int) -> list[bytes]:
        if stop - start == 1:
            return []
        middle = start + _split(stop - start)
        if place < middle:
            return [*self._path(place, start, middle), self._over(middle, stop)]
        return [*self._path(place, middle, stop), self._over(start, middle)]

    def _between(self, first: int, start: int, stop: int, *, whole: bool) -> list[bytes]:
        if first == stop:
            return [] if whole else [self._over(start, stop)]
        middle = start + _split(stop - start)
        if first <= middle:
            return [*self._between(first, start, middle, whole=whole), self._over(middle, stop)]
        return [*self._between(first, middle, stop, whole=False), self._over(start, middle)]

    def _over(self, start: int, stop: int) -> bytes:
        """Hash over leaves ``start`` to ``stop``; ``start`` is a multiple of the subtree's own size."""
        size = stop - start
        if size & (size - 1) == 0:
            return self._whole(start, size.bit_length() - 1)
        middle = start + _split(size)
        return join(self._over(start, middle), self._over(middle, stop))

    def _whole(self, start: int, height: int) -> bytes:
        key = (start, height)
        if key not in self._known:
            self._known[key] = self._read(start, height)
        return self._known[key]

    def _read(self, start: int, height: int) -> bytes:
        for level in (2 * BLOCK_BITS, BLOCK_BITS):
            if height >= level:
                wanted = 1 << (height - level)
                kept = self._nodes.read(level, start >> level, wanted)
                if len(kept) == wanted:
                    return fold(kept)
        if height > BLOCK_BITS:
            half = 1 << (height - 1)
            return join(self._whole(start, height - 1), self._whole(start + half, height - 1))
        leaves = self._nodes.read(0, start, 1 << height)
        if len(leaves) != 1 << height:
            raise ValueError(f"entries are missing between {start + 1} and {start + (1 << height)}")
        return fold(leaves)


class Growing:
    """The root of a log that is read once, entry by entry, in memory of its logarithm."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, entry_hash: str) -> None:
        """The next entry."""
        node, place = leaf(entry_hash), self.size
        while place & 1:
            node, place = join(self._peaks.pop(), node), place >> 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> str:
        """Root over what was added, in hexadecimal."""
        if not self._peaks:
            return EMPTY
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = join(peak, node)
        return node.hex()


def is_included(entry_hash: str, sequence: int, size: int, root: str, path: Iterable[str]) -> bool:
    """Verify an inclusion proof (RFC 9162, 2.1.3.2)."""
    place, last = sequence - 1, size - 1
    if not 0 <= place <= last:
        return False
    node = leaf(entry_hash)
    for text in path:
        if last == 0:
            return False
        other = bytes.fromhex(text)
        if place & 1 or place == last:
            node = join(other, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = join(node, other)
        place, last = place >> 1, last >> 1
    return last == 0 and node.hex() == root


def is_consistent(first: int, first_root: str, second: int, second_root: str, path: Iterable[str]) -> bool:
    """Verify a consistency proof (RFC 9162, 2.1.4.2)."""
    proof = [bytes.fromhex(text) for text in path]
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not proof and first_root == EMPTY
    if first == second:
        return not proof and first_root == second_root
    if first & (first - 1) == 0:
        proof.insert(0, bytes.fromhex(first_root))
    if not proof:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = proof[0]
    for other in proof[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = join(other, older), join(other, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = join(newer, other)
        place, last = place >> 1, last >> 1
    return last == 0 and older.hex() == first_root and newer.hex() == second_root


def _split(size: int) -> int:
    """The largest power of two under ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
