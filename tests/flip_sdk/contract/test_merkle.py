"""The tree of RFC 9162: every proof holds for what is so, and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from flip_sdk.contract import merkle
from hypothesis import given
from hypothesis import strategies as st

# RFC 6962's own reference implementation: leaves of these bytes give these roots
KNOWN = (
    ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", b""),
    ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", b"\x00"),
)


class Kept:
    """A log in memory, whose blocks' hashes are kept or not."""

    def __init__(self, count: int, *, blocks: bool = False, salt: str = "") -> None:
        self.hashes = [hashlib.sha256(f"{salt}{n}".encode()).hexdigest() for n in range(count)]
        self.leaves = [merkle.leaf(one) for one in self.hashes]
        self.blocks, self.reads = blocks, 0

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        if level == 0:
            self.reads += count
            return self.leaves[first : first + count]
        if not self.blocks or level > 8:
            return []
        whole = [self.leaves[at : at + 256] for at in range(first * 256, (first + count) * 256, 256)]
        self.reads += count
        return [merkle.fold(block) for block in whole if len(block) == 256]


def test_known_roots() -> None:
    leaves = [hashlib.sha256(b"\x00" + content).digest() for _, content in KNOWN]
    assert leaves[0].hex() == KNOWN[0][0]
    assert merkle.join(*leaves).hex() == KNOWN[1][0]
    assert merkle.EMPTY == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def plain_root(leaves: list[bytes]) -> bytes:
    """As the RFC defines it."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.join(plain_root(leaves[:split]), plain_root(leaves[split:]))


@given(st.integers(1, 700), st.booleans(), st.data())
def test_proofs_hold_and_are_of_what_they_say(count: int, blocks: bool, data: st.DataObject) -> None:
    log = Kept(count, blocks=blocks)
    tree = merkle.Tree(log, count)
    root = tree.root()
    assert root == plain_root(log.leaves).hex()
    sequence, first = data.draw(st.integers(1, count)), data.draw(st.integers(0, count))
    path = tree.inclusion(sequence)
    entry = log.hashes[sequence - 1]
    assert merkle.is_included(entry, sequence, count, root, path)
    assert not merkle.is_included(hashlib.sha256(b"other").hexdigest(), sequence, count, root, path)
    older = tree.root(first)
    between = tree.consistency(first)
    assert merkle.is_consistent(first, older, count, root, between)
    if 0 < first < count:
        elsewhere = merkle.Tree(Kept(count, salt="rewritten"), count)
        assert not merkle.is_consistent(first, elsewhere.root(first), count, root, between)
        assert not merkle.is_consistent(first, older, count, elsewhere.root(), elsewhere.consistency(first))
    growing = merkle.Growing()
    for one in log.hashes:
        growing.add(one)
    assert growing.root() == root


def test_a_proof_in_a_long_log_reads_a_few_hundred_hashes() -> None:
    log = Kept(70_000, blocks=True)
    tree = merkle.Tree(log, 70_000)
    tree.inclusion(40_000)
    assert log.reads < 2_000


def test_there_is_no_proof_of_what_there_is_not() -> None:
    tree = merkle.Tree(Kept(5), 5)
    for asked in (lambda: tree.inclusion(6), lambda: tree.inclusion(0), lambda: tree.consistency(6)):
        with pytest.raises(ValueError, match="there"):
            asked()
    with pytest.raises(ValueError, match="missing"):
        merkle.Tree(Kept(5), 8).root()
