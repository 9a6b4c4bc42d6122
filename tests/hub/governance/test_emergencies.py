"""Emergency access: it reads for a while, is seen at once and reviewed by others; it runs and releases nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flip_hub.api.sweep import sweep
from flip_hub.database import Emergency, Job, Project, Routine, SignIn, now
from flip_hub.errors import ConflictError, DeniedError, InvalidError, MissingError, NotSignedInError
from flip_hub.governance import emergencies, intake, people, projects, sign_ins, workspaces
from flip_hub.testing import show_records
from flip_sdk.contract.emergencies import EmergencyView, NewEmergency, ReviewEmergency
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select

from tests.hub.conftest import API, PAGES

WHY = "A draft names a patient, a member of the public wrote."
JUSTIFIED = ReviewEmergency(finding="justified", words="The draft did name somebody.")


def _open(hub, scope: str = "read", target: str = "cytology", who: str = "olga", hours: float = 1) -> EmergencyView:
    wanted = NewEmergency.model_validate({"scope": scope, "target": target, "reason": WHY, "hours": hours})
    return emergencies.open_(hub.office, hub.who(who), wanted)


def _past(hub, emergency_id: str, days: float = 0) -> None:
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        row = session.get_one(Emergency, emergency_id)
        row.expires_at = now() - timedelta(days=days)
        if row.ended_at is not None:
            row.ended_at = row.expires_at


def test_it_reads_what_policy_denies_until_its_time_is_over(hub) -> None:
    hub.draft()
    with pytest.raises(MissingError):
        projects.show(hub.office, hub.who("olga"), "cytology")
    made = _open(hub)
    assert projects.show(hub.office, hub.who("olga"), "cytology").project_id == "cytology"
    _past(hub, made.emergency_id)
    # nothing has swept: the moment itself ends it
    with pytest.raises(MissingError):
        projects.show(hub.office, hub.who("olga"), "cytology")


def test_nobody_else_and_no_other_project(hub) -> None:
    hub.draft()
    hub.draft("other")
    for who in ("ada", "rufus", "sam"):
        with pytest.raises(DeniedError):
            _open(hub, who=who)
    with pytest.raises(DeniedError):
        emergencies.open_(
            hub.office, hub.who("olga", "cytology"), NewEmergency(scope="read", target="cytology", reason=WHY)
        )
    _open(hub)
    with pytest.raises(MissingError):
        projects.show(hub.office, hub.who("olga"), "other")
    with pytest.raises(InvalidError):
        _open(hub, target="other", hours=99)
    with pytest.raises(ConflictError):
        _open(hub)
    with pytest.raises(MissingError):
        _open(hub, target="nothing")


def test_everything_asked_for_is_written_down_before_it_is_shown(hub) -> None:
    hub.draft()
    made = _open(hub)
    client = hub.client("olga")
    assert client.get(f"{API}/projects/cytology").status_code == 200
    assert client.get(f"{API}/projects/nothing").status_code == 404
    uses = [use.what for use in emergencies.show(hub.office, hub.who("rufus"), made.emergency_id).uses]
    assert uses == ["GET api/projects/cytology", "GET api/projects/nothing"]


def test_it_runs_nothing_and_releases_nothing_whatever_roles_its_person_has(hub) -> None:
    hub.ready(team=("alan",))
    everything = ("researcher", "operator", "output checker", "governance reviewer", "data steward")
    people.add_person(
        hub.office.database, "alan", display_name="A", organisation="Elsewhere", roles=everything, by="olga"
    )
    show_records(hub.office.database, "alan")
    made = _open(hub, who="alan")
    subject = hub.who("alan")
    with pytest.raises(DeniedError) as caught:
        intake.submit_job(hub.office, subject, "cytology", hub.count())
    assert caught.value.policy == "emergency.read_only"
    with pytest.raises(DeniedError):
        workspaces.may_open(hub.office.config, "alan", "cytology")
    with hub.office.database.read() as session:
        assert session.scalars(select(Job)).all() == []
    emergencies.end(hub.office, subject, made.emergency_id)
    intake.submit_job(hub.office, hub.who("alan"), "cytology", hub.count())


def test_reviewers_are_told_at_once_and_until_somebody_else_has_reviewed_it(hub) -> None:
    hub.draft()
    made = _open(hub)
    pages = {name: hub.browser(name) for name in ("rufus", "olga", "ada")}
    assert "Emergency access is open" in pages["rufus"].get(f"{PAGES}/").text
    assert "Emergency access" not in pages["ada"].get(f"{PAGES}/").text
    with pytest.raises(ConflictError):
        emergencies.review(hub.office, hub.who("rufus"), made.emergency_id, JUSTIFIED)
    emergencies.end(hub.office, hub.who("rufus"), made.emergency_id)
    assert "waits for its review" in pages["rufus"].get(f"{PAGES}/").text
    _past(hub, made.emergency_id, days=4)
    assert "overdue" in pages["olga"].get(f"{PAGES}/").text
    with pytest.raises(DeniedError) as caught:
        emergencies.review(hub.office, hub.who("olga"), made.emergency_id, JUSTIFIED)
    assert caught.value.policy == "emergency.review_own"
    done = emergencies.review(hub.office, hub.who("mina"), made.emergency_id, JUSTIFIED)
    assert (done.state, done.reviewed_by) == ("reviewed", "mina")
    assert "Emergency access is" not in pages["rufus"].get(f"{PAGES}/").text
    with pytest.raises(ConflictError):
        emergencies.review(hub.office, hub.who("mina"), made.emergency_id, JUSTIFIED)
    assert [name for name in hub.events() if name.startswith("emergency.") and name != "emergency.used"] == [
        "emergency.opened",
        "emergency.ended",
        "emergency.reviewed",
    ]


def test_its_end_is_written_down_by_itself(hub) -> None:
    hub.draft()
    made = _open(hub)
    _past(hub, made.emergency_id)
    assert emergencies.end_due(hub.office.database) == [made.emergency_id]
    sweep(hub.office, None)
    assert hub.events().count("emergency.ended") == 1
    with pytest.raises(ConflictError):
        emergencies.end(hub.office, hub.who("olga"), made.emergency_id)


def test_a_project_is_suspended_even_ones_own_and_only_an_operator_resumes_it(hub) -> None:
    hub.ready(team=("alan",))
    people.add_person(
        hub.office.database, "alan", display_name="A", organisation="Elsewhere", roles=("operator",), by="olga"
    )
    intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    made = _open(hub, "suspend", who="alan")
    assert made.state == "waiting"
    with hub.office.database.read() as session:
        assert session.get_one(Project, "cytology").state == ProjectState.SUSPENDED
        assert session.scalars(select(Job)).one().cancel_requested
    assert hub.events()[-2:] == ["emergency.opened", "project.suspended"]
    with pytest.raises(ConflictError):
        _open(hub, "suspend")
    with pytest.raises(DeniedError):
        projects.change_state(hub.office, hub.who("alan"), "cytology", "approved")
    projects.change_state(hub.office, hub.who("olga"), "cytology", "approved")


def test_a_persons_sessions_are_ended(hub) -> None:
    database = hub.office.database
    sign_ins.begin(database, "one", "ada", "password", {})
    _open(hub, "sessions", "ada")
    limits = sign_ins.Limits.of(hub.office.config)
    with pytest.raises(NotSignedInError):
        sign_ins.standing(database, limits, "one", "ada", used=True)
    with database.read() as session:
        assert session.scalars(select(SignIn)).one().end_reason == "operator"
    with pytest.raises(MissingError):
        _open(hub, "sessions", "nobody")
