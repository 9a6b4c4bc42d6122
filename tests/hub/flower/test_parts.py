"""Named blobs through one body."""

from __future__ import annotations

import pytest
from flip_hub.flower.grid import Incoming
from flip_hub.flower.parts import pack, pack_incoming, unpack, unpack_incoming
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.dictionaries(st.from_regex(r"\A[a-z]{1,10}\Z"), st.binary(max_size=50), max_size=5)
ERRORS = st.sampled_from(["offline", "lost", "unreadable"])


@given(PARTS)
def test_parts_round_trip(parts):
    assert unpack(pack(parts)) == parts


@given(st.lists(st.one_of(st.builds(Incoming, st.text(), PARTS), st.builds(Incoming, st.text(), st.none(), ERRORS))))
def test_incoming_round_trips(incoming):
    assert unpack_incoming(pack_incoming(incoming)) == incoming


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(body):
    with pytest.raises(ValueError, match="parts"):
        unpack(body)
