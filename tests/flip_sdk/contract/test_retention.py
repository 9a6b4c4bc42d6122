"""Details that go by a policy leave a log that verifies; what goes in any other way is found."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flip_sdk.contract.log_check import check
from flip_sdk.contract.log_entries import GENESIS, REDUCED_EVENT, from_row, hash_of, new_salt, reduced, to_row
from flip_sdk.contract.logs import LogRoot
from flip_sdk.contract.merkle import Growing
from flip_sdk.contract.retention import Retention, RetentionRule, chosen, due, reduction, years_before

NOW = datetime(2036, 2, 29, 12, tzinfo=UTC)
POLICY = Retention(
    name="test",
    programs=("agent",),
    rules=(
        RetentionRule(name="texts", why="…", years=5, parts=("details.reason",)),
        RetentionRule(name="people", why="…", years=8, parts=("actor", "details.researcher")),
        RetentionRule(name="subjects", why="…", years=8, parts=("subject",), events=("person.*",)),
    ),
)
OTHER = POLICY.model_copy(
    update={"name": "hasty", "rules": tuple(one.model_copy(update={"years": 1}) for one in POLICY.rules)}
)
Log = list[dict[str, Any]]


def add(log: Log, at: datetime, actor: str, event: str, subject: str, details: dict[str, Any]) -> None:
    content = {
        "version": 2,
        "sequence": len(log) + 1,
        "at": at.isoformat(),
        "actor": actor,
        "event": event,
        "subject": subject,
        "details": details,
        "previous": log[-1]["hash"] if log else GENESIS,
        "salt": new_salt(),
    }
    log.append(content | {"hash": hash_of(content)})


def ten_years() -> Log:
    """An entry a year, the youngest a year old."""
    log: Log = []
    for ago in range(10, 0, -1):
        at = NOW - timedelta(days=366 * ago)
        details = {"reason": f"a lump {ago}", "job": str(ago)}
        add(log, at, "agent" if ago == 10 else "ada", "job.stopped", f"job/{ago}", details)
    add(log, NOW - timedelta(days=366 * 9), "olga", "person.closed", "person/ada", {})
    return log


def shortened(log: Log, policy: Retention = POLICY, moment: datetime = NOW) -> Log:
    """The log after retention, as it is exported."""
    found = chosen(log, policy, moment, 100)
    rows, details = reduction(found, policy, len(log) + 1)
    made = list(log)
    for row in rows:
        made[row["sequence"] - 1] = from_row(row)
    add(made, moment, "olga", REDUCED_EVENT, "audit/hub", details)
    return made


def root_of(log: Log) -> LogRoot:
    tree = Growing()
    for entry in log:
        tree.add(entry["hash"])
    return LogRoot(log="hub", day=NOW.date(), size=len(log), root=tree.root(), issued_at=NOW)


def kinds(log: Log, *policies: Retention, now: datetime = NOW) -> set[tuple[str, int]]:
    return {(one.kind, one.sequence) for one in check(log, [], policies or (POLICY,), now).findings}


LOG = ten_years()
SHORT = shortened(LOG)


def test_a_shortened_log_verifies_and_has_the_roots_that_it_had() -> None:
    verdict = check(SHORT, [root_of(LOG)], [POLICY], NOW)
    assert verdict.whole, verdict.findings
    assert len(verdict.confirmed) == 1
    assert (verdict.reduced, verdict.policies) == (7, ("test",))
    assert check(json.loads(json.dumps(SHORT)), [root_of(LOG)], [POLICY], NOW).whole


def test_what_is_due_goes_and_all_else_stays() -> None:
    assert due(LOG, POLICY, NOW).parts == {"details.reason": 6, "actor": 3, "subject": 1}
    first, second, sixth, last = SHORT[0], SHORT[1], SHORT[5], SHORT[10]
    assert (first["actor"], first["details"], first["subject"]) == ("agent", {"job": "10"}, "job/10")
    assert (second["actor"], second["details"]) == ("", {"job": "9"})
    assert sixth["details"] == {"job": "5"}
    assert SHORT[6] == LOG[6]
    assert (last["actor"], last["subject"], last["event"]) == ("", "", "person.closed")
    text = json.dumps(SHORT[:6])
    assert "lump" not in text
    assert '"ada"' in json.dumps(SHORT[5])


def test_a_second_run_goes_on_where_the_first_ended() -> None:
    later = NOW.replace(year=2041, day=28)
    twice = shortened(SHORT, moment=later)
    verdict = check(twice, [root_of(SHORT)], [POLICY], later)
    assert verdict.whole, verdict.findings
    assert chosen(twice, POLICY, later, 100) == []
    # the one that tells of the first run keeps its details for ever
    assert twice[11]["details"] == SHORT[11]["details"]


def test_a_name_cannot_be_guessed_from_its_digest() -> None:
    """The same name has another digest in each entry, and the secret that it was salted with is gone."""
    digests = [one["reduced"]["actor"]["digest"] for one in SHORT if "actor" in one.get("reduced", {})]
    assert len(set(digests)) == len(digests) == 3
    for entry in SHORT:
        if dropped := entry.get("reduced"):
            assert "salt" not in entry
            assert not set(entry["salts"]) & set(dropped)


def test_the_log_cannot_excuse_itself() -> None:
    """An attacker whose own policy lets everything go after a year; whoever verifies does not know that policy."""
    hasty = shortened(LOG, OTHER)
    assert ("dropped", 1) in kinds(hasty)
    assert kinds(hasty, POLICY, OTHER) == set()
    assert ("dropped", 1) in kinds(SHORT, OTHER)
    assert check(SHORT, now=NOW).findings


def test_details_that_go_without_being_told_are_found() -> None:
    log = copy.deepcopy(LOG)
    log[0] = reduced(log[0], ["details.reason"], 12)
    assert kinds(log) == {("dropped", 1)}
    add(log, NOW, "eve", "job.stopped", "job/1", {})
    assert kinds(log) == {("dropped", 1)}


@pytest.mark.parametrize(("place", "part"), [(8, "details.reason"), (0, "details.job"), (0, "subject"), (4, "actor")])
def test_what_goes_too_early_or_is_never_to_go_is_found(place: int, part: str) -> None:
    """Told properly, and with a policy that is known, which does not let it go."""
    log = copy.deepcopy(LOG)
    rows, details = reduction([(log[place], [part])], POLICY, len(log) + 1)
    log[place] = from_row(rows[0])
    add(log, NOW, "eve", REDUCED_EVENT, "audit/hub", details)
    assert kinds(log) == {("dropped", place + 1)}


def test_what_goes_under_an_earlier_telling_is_found() -> None:
    log = copy.deepcopy(SHORT)
    log[6] = reduced(log[6], ["details.reason"], 12)
    assert {kind for kind, _ in kinds(log)} == {"dropped"}


def test_a_telling_of_a_day_to_come_excuses_nothing() -> None:
    later = NOW + timedelta(days=4000)
    log = shortened(LOG, moment=later)
    assert {kind for kind, _ in kinds(log)} == {"dropped"}
    assert kinds(log, now=later) == set()


def test_what_was_dropped_does_not_come_back_as_something_else() -> None:
    for change in (
        {"actor": "eve"},
        {"details": {"job": "9", "reason": "eve's"}},
        {"salt": new_salt()},
        {"note": "eve's"},
        {"version": 3},
        {"salts": SHORT[1]["salts"] | {"actor": "00" * 16}},
    ):
        log = copy.deepcopy(SHORT)
        log[1] |= change
        assert ("unreadable", 2) in kinds(log), change
    log = copy.deepcopy(SHORT)
    log[1]["reduced"]["actor"]["digest"] = "0" * 64
    assert ("altered", 2) in kinds(log)
    log = copy.deepcopy(SHORT)
    log[1]["salts"]["details.job"] = "00" * 16
    assert ("altered", 2) in kinds(log)


@pytest.mark.parametrize(
    "broken", [{"reduced": 1}, {"reduced": {"actor": 1}}, {"salts": []}, {"details": 3}, {"salt": "x"}]
)
def test_what_is_no_entry_is_a_finding(broken: dict[str, Any]) -> None:
    log = copy.deepcopy(SHORT)
    log[1] |= broken
    assert "unreadable" in {kind for kind, _ in kinds(log)}


def test_an_altered_entry_is_not_reduced() -> None:
    log = copy.deepcopy(LOG)
    log[0]["details"]["reason"] = "eve's"
    with pytest.raises(ValueError, match="entry 1 was changed"):
        shortened(log)


def test_entries_of_the_first_version_stay_whole_and_verify() -> None:
    content = {name: value for name, value in LOG[0].items() if name not in {"version", "salt", "hash"}}
    old = [content | {"hash": hash_of(content)}]
    add(old, NOW, "ada", "job.stopped", "job/1", {"reason": "new"})
    assert check(old, [], [POLICY], NOW).whole
    assert due(old, POLICY, NOW).old == 1
    assert chosen(old, POLICY, NOW, 10) == []


def test_rows_and_entries_are_the_same() -> None:
    for entry in SHORT:
        assert from_row(to_row(entry)) == entry


def test_years_before() -> None:
    assert years_before(NOW, 8) == NOW.replace(year=2028)
    assert years_before(NOW, 5) == NOW.replace(year=2031, day=28)
