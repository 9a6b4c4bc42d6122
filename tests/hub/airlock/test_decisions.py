"""Two blind checkers: who may, what neither learns, how they agree, and that nobody is counted twice."""

from __future__ import annotations

import json
import threading

import pytest
from flip_hub.airlock import decisions, requests
from flip_hub.airlock.queue import queue
from flip_hub.database import Project, Release, Routine
from flip_hub.errors import ConflictError, DeniedError, InvalidError, MissingError, NotNowError
from flip_hub.governance import people
from flip_hub.testing import show_records
from flip_sdk.contract.airlock import DecideOutputs
from flip_sdk.contract.states import OutputState, ProjectState
from flip_sdk.errors import FlipError, SpecError
from sqlalchemy import select

from tests.hub.airlock.conftest import CLEAN, SMALL


def state(request, place: int = 0) -> OutputState:
    return request.outputs[place].state


def test_two_that_agree_release_a_file(airlock) -> None:
    request = airlock.checked()
    assert state(airlock.decide(request, "cora")) is OutputState.IN_REVIEW
    done = airlock.decide(request, "cyril")
    assert state(done) is OutputState.RELEASED
    assert not done.open
    assert done.outputs[0].released_at


def test_two_that_withhold_say_why(airlock) -> None:
    request = airlock.checked({"b.csv": SMALL})
    airlock.decide(request, "cora", "withhold")
    done = airlock.decide(request, "cyril", "withhold", reason="Round it.")
    assert state(done) is OutputState.WITHHELD
    assert done.outputs[0].reason == "3 persons. Suppress it.\n\nRound it."


@pytest.mark.parametrize(
    ("who", "error", "policy"),
    [
        ("ada", DeniedError, "outputs.check_own"),
        ("nina", DeniedError, "outputs.see_own_organisation"),
        ("rufus", MissingError, ""),
        ("bea", MissingError, ""),
    ],
)
def test_who_may_not_decide(airlock, who, error, policy) -> None:
    request = airlock.checked()
    with pytest.raises(error) as caught:
        airlock.decide(request, who)
    assert getattr(caught.value, "policy", "") == policy


def test_nobody_decides_on_their_own_request_or_project(airlock) -> None:
    for name in ("ada", "alan"):
        people.add_person(
            airlock.hub.office.database,
            name,
            display_name=name,
            organisation="Elsewhere",
            roles=("researcher", "output checker"),
            by="olga",
        )
    show_records(airlock.hub.office.database, "ada", "alan")
    request = airlock.checked()
    for name, policy in (("ada", "outputs.check_own"), ("alan", "outputs.check_own_project")):
        with pytest.raises(DeniedError) as caught:
            airlock.decide(request, name)
        assert caught.value.policy == policy


def test_a_workspace_decides_nothing(airlock) -> None:
    request = airlock.checked()
    wanted = DecideOutputs(outputs=(request.outputs[0].output_id,), decision="approve")
    with pytest.raises(DeniedError):
        decisions.decide(airlock.hub.office, airlock.hub.who("cora", "cytology"), request.request_id, wanted)


def test_the_second_does_not_learn_what_the_first_said(airlock) -> None:
    request = airlock.checked({"b.csv": SMALL})
    airlock.decide(request, "cora", "withhold", reason="A person could be recognised.")
    for who in ("cyril", "ada", "chloe"):
        seen = airlock.show(request.request_id, who).outputs[0]
        assert seen.decided == 1
        assert seen.decisions == ()
        assert seen.yours is None
        assert "recognised" not in seen.model_dump_json()
        assert "cora" not in seen.model_dump_json()
    mine = airlock.show(request.request_id, "cora").outputs[0]
    assert mine.yours
    assert mine.yours.reason == "A person could be recognised."


def test_the_audit_log_tells_a_decision_only_when_both_are_made(airlock) -> None:
    from flip_hub.audit import export

    request = airlock.checked()

    def log() -> str:
        with airlock.hub.office.database.read() as session:
            return json.dumps(list(export(session)))

    before = len(log())
    airlock.decide(request, "cora", reason="It is plainly fine.")
    assert "plainly fine" not in log()
    assert '"approve"' not in log()[before:]
    airlock.decide(request, "cyril")
    assert "plainly fine" in log()


def test_one_person_counts_once(airlock) -> None:
    request = airlock.checked()
    for _ in range(3):
        again = airlock.decide(request, "cora")
    assert again.outputs[0].decided == 1
    assert state(again) is OutputState.IN_REVIEW


def test_a_disagreement_is_told_to_both_and_a_third_decides(airlock) -> None:
    request = airlock.checked()
    airlock.decide(request, "cora")
    airlock.decide(request, "cyril", "withhold", reason="Not planned.")
    for who in ("cora", "cyril", "chloe"):
        seen = airlock.show(request.request_id, who).outputs[0]
        assert seen.disputed
        assert [decision.checker for decision in seen.decisions] == ["cora", "cyril"]
    assert airlock.show(request.request_id, "ada").outputs[0].decisions == ()
    done = airlock.decide(request, "chloe", "withhold", reason="Indeed.")
    assert state(done) is OutputState.WITHHELD


def test_one_of_two_changes_their_mind_with_a_reason(airlock) -> None:
    request = airlock.checked()
    airlock.decide(request, "cora")
    airlock.decide(request, "cyril", "withhold", reason="Not planned.")
    with pytest.raises(InvalidError):
        airlock.decide(request, "cyril")
    done = airlock.decide(request, "cyril", reason="It is in the plan after all.")
    assert state(done) is OutputState.RELEASED
    with pytest.raises(ConflictError):
        airlock.decide(request, "cora", "withhold", reason="Too late.")


def test_reasons_are_asked_for_where_they_are_needed(airlock) -> None:
    request = airlock.checked({"a.csv": CLEAN, "b.csv": SMALL})
    with pytest.raises(InvalidError):
        airlock.decide(request, "cora", "withhold", "a.csv")
    with pytest.raises(InvalidError):
        airlock.decide(request, "cora", "approve", "b.csv")
    airlock.decide(request, "cora", "withhold", "b.csv")
    airlock.decide(request, "cora", "approve", "a.csv")


def test_a_group_holds_only_what_passes_or_was_approved_before(airlock) -> None:
    first = airlock.checked({"old.csv": SMALL})
    for who in ("cora", "cyril"):
        airlock.decide(first, who, reason="Public numbers.")
    files = {"a.csv": CLEAN, "b.csv": SMALL, "c.csv": SMALL + b"x,5\n", "d.csv": CLEAN + b"x,50\n"}
    request = airlock.checked(files)
    assert [output.approved_before for output in request.outputs] == [False, True, False, False]
    with pytest.raises(SpecError) as caught:
        airlock.decide(request, "cora", reason="All of them.")
    assert [violation.where for violation in caught.value.violations] == ["c.csv"]
    assert airlock.show(request.request_id, "cora").outputs[0].yours is None
    airlock.decide(request, "cora", "approve", "a.csv", "b.csv", "d.csv")


def test_a_file_that_only_helps_is_never_released(airlock) -> None:
    request = airlock.checked(
        {"rates.csv": CLEAN, "counts.csv": CLEAN}, **{"counts.csv": {"leaves": False}, "rates.csv": {}}
    )
    helper = next(output for output in request.outputs if not output.statement.leaves)
    wanted = DecideOutputs(outputs=(helper.output_id,), decision="approve")
    for who in ("cora", "cyril"):
        airlock.decide(request, who)
        with pytest.raises(InvalidError):
            decisions.decide(airlock.hub.office, airlock.hub.who(who), request.request_id, wanted)
    done = airlock.show(request.request_id)
    assert {str(output.state) for output in done.outputs} == {"released", "checked"}
    assert not done.open


def test_a_file_of_another_request_is_not_decided_with_this_one(airlock) -> None:
    first, second = airlock.checked(), airlock.checked({"z.csv": CLEAN + b"z,40\n"})
    wanted = DecideOutputs(outputs=(first.outputs[0].output_id,), decision="approve")
    with pytest.raises(MissingError):
        decisions.decide(airlock.hub.office, airlock.hub.who("cora"), second.request_id, wanted)


def test_nothing_is_decided_before_the_checks_are_done(airlock) -> None:
    request = airlock.submitted()
    with pytest.raises(ConflictError):
        airlock.decide(request, "cora")


def test_what_is_taken_back_is_not_released(airlock) -> None:
    request = airlock.checked()
    airlock.decide(request, "cora")
    requests.withdraw(airlock.hub.office, airlock.hub.who("ada"), request.request_id)
    with pytest.raises(ConflictError):
        airlock.decide(request, "cyril")


def test_many_decisions_at_once_release_once(airlock) -> None:
    request = airlock.checked()
    failures: list[FlipError] = []

    def decide(who: str) -> None:
        try:
            airlock.decide(request, who)
        except ConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=decide, args=(who,)) for who in ("cora", "cyril", "chloe") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with airlock.hub.office.database.read() as session:
        assert len(session.scalars(select(Release)).all()) == 1
    assert airlock.show(request.request_id, "cora").outputs[0].decided == 2
    assert airlock.hub.events().count("output.released") == 1


def test_what_waits_is_checked_anew_when_something_on_the_same_data_is_released(airlock) -> None:
    first, second = airlock.checked(), airlock.checked({"b.csv": SMALL.replace(b",3", b",30")})
    airlock.decide(second, "cora")
    airlock.decide(first, "cora")
    airlock.decide(first, "cyril")
    with pytest.raises(ConflictError):
        airlock.decide(second, "cyril")
    assert airlock.work() == 1
    assert state(airlock.decide(second, "cyril")) is OutputState.RELEASED


def test_decisions_made_without_what_was_found_since_are_void(airlock) -> None:
    first, second = airlock.checked(), airlock.checked({"b.csv": SMALL.replace(b",3", b",30")})
    airlock.decide(second, "cora")
    airlock.decide(first, "cora")
    airlock.decide(first, "cyril")
    plain = airlock.examine

    def differs(folder, statements, past):
        assert [table.statement.path for table in past.released] == ["table.csv"]
        found = airlock.checked.__globals__["Finding"](rule="release.differs_by_few", severity="flag", message="One.")
        return tuple(
            e.model_copy(update={"findings": (found,), "verdict": "flag"}) for e in plain(folder, statements, past)
        )

    airlock.examine = differs
    airlock.work()
    seen = airlock.show(second.request_id, "cora").outputs[0]
    assert (seen.decided, seen.yours, seen.verdict) == (0, None, "flag")
    assert "output.decisions_void" in airlock.hub.events()


def test_checks_that_did_not_know_of_a_release_do_not_count(airlock) -> None:
    first, second = airlock.checked(), airlock.submitted({"b.csv": SMALL})
    plain = airlock.examine

    def meanwhile(folder, statements, past):
        airlock.examine = plain
        airlock.decide(first, "cora")
        airlock.decide(first, "cyril")
        return plain(folder, statements, past)

    airlock.examine = meanwhile
    assert airlock.work() == 2
    assert not airlock.show(second.request_id).checking


def test_a_suspended_project_releases_nothing_and_an_expired_one_what_waits(airlock) -> None:
    request = airlock.checked()
    for project_state, allowed in ((ProjectState.SUSPENDED, False), (ProjectState.EXPIRED, True)):
        with airlock.hub.office.database.write(Routine("a test")) as session:
            session.get_one(Project, "cytology").state = project_state
        if allowed:
            airlock.decide(request, "cora")
        else:
            with pytest.raises(NotNowError):
                airlock.decide(request, "cora")


def test_nothing_of_a_suspended_project_waits(airlock) -> None:
    airlock.checked()
    with airlock.hub.office.database.write(Routine("a test")) as session:
        session.get_one(Project, "cytology").state = ProjectState.SUSPENDED
    with airlock.hub.office.database.read() as session:
        assert queue(airlock.hub.office, session, airlock.hub.who("cora")) == []


def test_the_queue_has_what_one_may_decide_the_riskiest_first(airlock) -> None:
    clean, risky = airlock.checked(), airlock.checked({"b.csv": SMALL, "a.csv": CLEAN})
    office = airlock.hub.office
    with office.database.read() as session:
        assert [w.request_id for w in queue(office, session, airlock.hub.who("cora"))] == [
            risky.request_id,
            clean.request_id,
        ]
        assert queue(office, session, airlock.hub.who("nina")) == []
        with pytest.raises(DeniedError):
            queue(office, session, airlock.hub.who("ada"))
    airlock.decide(risky, "cora", "approve", "a.csv")
    airlock.decide(risky, "cora", "withhold", "b.csv")
    with office.database.read() as session:
        waiting = queue(office, session, airlock.hub.who("cora"))
    assert [(w.request_id, w.waiting) for w in waiting] == [(clean.request_id, 1), (risky.request_id, 0)]
