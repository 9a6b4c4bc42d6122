"""An exported log verifies alone; each kind of tampering is found by name, also where all hashes are made anew."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from flip_sdk.contract.log_check import check
from flip_sdk.contract.log_entries import GENESIS, hash_of
from flip_sdk.contract.logs import LogRoot
from flip_sdk.contract.merkle import Growing
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 30, tzinfo=UTC)
COUNT = 12


def chained(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries with every number and hash reckoned anew: what whoever holds the database can do."""
    made, previous = [], GENESIS
    for sequence, content in enumerate(contents, start=1):
        body = {**content, "sequence": sequence, "previous": previous}
        body.pop("hash", None)
        previous = hash_of(body)
        made.append({**body, "hash": previous})
    return made


def entries(count: int = COUNT) -> list[dict[str, Any]]:
    common = {"at": NOW.isoformat(), "actor": "ada", "event": "test.written"}
    return chained([{**common, "subject": f"thing/{n}", "details": {"n": n}} for n in range(count)])


def root_of(log: list[dict[str, Any]], size: int) -> LogRoot:
    tree = Growing()
    for entry in log[:size]:
        tree.add(entry["hash"])
    return LogRoot(log="hub", day=NOW.date(), size=size, root=tree.root(), issued_at=NOW)


LOG = entries()
ROOT = root_of(LOG, COUNT)


def test_a_whole_log() -> None:
    verdict = check(LOG, [ROOT, root_of(LOG, 5), root_of(LOG, 0)])
    assert verdict.whole
    assert (verdict.count, verdict.last, verdict.root) == (COUNT, LOG[-1]["hash"], ROOT.root)
    assert len(verdict.confirmed) == 3


@given(st.integers(0, COUNT - 1), st.sampled_from(["actor", "event", "subject", "at", "details"]))
def test_an_altered_entry(place: int, field: str) -> None:
    log = copy.deepcopy(LOG)
    log[place][field] = {"n": "x"} if field == "details" else "somebody else"
    assert [(one.kind, one.sequence) for one in check(log).findings] == [("altered", place + 1)]


@given(st.integers(0, COUNT - 2))
def test_an_altered_entry_whose_own_hash_was_reckoned_anew(place: int) -> None:
    log = copy.deepcopy(LOG)
    body = {name: value for name, value in log[place].items() if name != "hash"} | {"actor": "nobody"}
    log[place] = body | {"hash": hash_of(body)}
    assert [(one.kind, one.sequence) for one in check(log).findings] == [("altered", place + 1)]


@given(st.integers(1, COUNT - 2), st.integers(1, 3))
def test_deleted_entries(place: int, many: int) -> None:
    last = min(place + many, COUNT - 1)
    log = LOG[:place] + LOG[last:]
    assert [(one.kind, one.sequence, one.last) for one in check(log).findings] == [("missing", place + 1, last)]


@given(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))
def test_a_duplicated_entry(place: int, to: int) -> None:
    log = list(LOG)
    log.insert(max(place + 1, to), LOG[place])
    assert ("duplicated", place + 1) in [(one.kind, one.sequence) for one in check(log).findings]


@given(st.permutations(range(COUNT)))
def test_entries_in_another_order(order: list[int]) -> None:
    log = [LOG[place] for place in order]
    kinds = {one.kind for one in check(log).findings}
    assert kinds <= {"reordered", "missing"}
    assert bool(kinds) == (order != list(range(COUNT)))


@given(st.integers(0, COUNT - 1))
def test_a_log_cut_short_is_shown_by_a_root(size: int) -> None:
    assert check(LOG[:size]).whole
    (found,) = check(LOG[:size], [ROOT]).findings
    assert (found.kind, found.sequence, found.last) == ("truncated", size + 1, COUNT)


TAMPERED = {
    "altered": lambda log, at: [*log[:at], {**log[at], "actor": "nobody"}, *log[at + 1 :]],
    "deleted": lambda log, at: [*log[:at], *log[at + 1 :], log[-1]],
    "duplicated": lambda log, at: [*log[:at], log[at], *log[at:]],
    "reordered": lambda log, at: [*log[:at], log[(at + 1) % COUNT], *log[at + 1 :]],
}


@pytest.mark.parametrize("how", TAMPERED)
@given(at=st.integers(0, COUNT - 2))
def test_a_log_with_every_hash_reckoned_anew_is_convicted_by_the_root(how: str, at: int) -> None:
    log = chained(TAMPERED[how](LOG, at))
    assert check(log).whole
    assert {one.kind for one in check(log, [ROOT]).findings} == {"rewritten"}


def test_what_is_no_entry() -> None:
    assert [one.kind for one in check([{"sequence": 1}]).findings] == ["unreadable"]
    assert all(one.words().startswith(("Entry", "Each")) for one in check([*LOG[3:], LOG[3]], [ROOT]).findings)
