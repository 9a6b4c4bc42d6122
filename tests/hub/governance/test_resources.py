"""What workspaces may use and what they used: given by governance, counted through crashes, held to by quota."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.database import Person, Project, ProjectResources, Routine, WorkspaceRun, now
from flip_hub.errors import DeniedError, InvalidError, NotNowError
from flip_hub.governance import resources, usage, usage_report
from flip_hub.governance.profiles import Profile, profiles
from flip_sdk.contract.workspaces import NewResources
from sqlalchemy import select

from tests.hub.conftest import API, PAGES

GPU = NewResources(profiles=("gpu", "large"), gpu_hours=2.0)
NAMES = ("small", "large", "gpu")


def _profile(hub, name: str) -> Profile:
    return profiles(hub.office.config).named(name)


def _choose(hub, name: str = "", person: str = "ada") -> str:
    return resources.choose(hub.office.config, hub.office.database, "cytology", person, name).name


def _run(hub, profile: str = "gpu", person: str = "ada", **changes: datetime) -> None:
    """A workspace that began, with its times moved."""
    usage.began(hub.office.database, "cytology", person, _profile(hub, profile))
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        run = session.scalars(select(WorkspaceRun).order_by(WorkspaceRun.run_id.desc())).first()
        for name, value in changes.items():
            setattr(run, name, value)


def _rows(hub) -> list[tuple[str, bool]]:
    with hub.office.database.read() as session:
        return [
            (run.profile, run.ended_at is None)
            for run in session.scalars(select(WorkspaceRun).order_by(WorkspaceRun.run_id))
        ]


def _overdrawn(hub) -> str:
    return resources.overdrawn(hub.office.config, hub.office.database, "cytology", "ada")


# ---- profiles


def test_every_approved_project_has_the_default_and_nothing_else(hub) -> None:
    hub.approved()
    assert _choose(hub) == "small"
    for name in ("large", "gpu"):
        with pytest.raises(NotNowError):
            _choose(hub, name)
    with pytest.raises(InvalidError):
        _choose(hub, "enormous")


def test_governance_gives_a_project_more_and_takes_it_away(hub) -> None:
    hub.approved()
    seen = resources.give(hub.office, hub.who("rufus"), "cytology", GPU)
    assert tuple(one.name for one in seen.profiles) == NAMES
    assert (seen.gpu_hours_quota, seen.set_by) == (2.0, "rufus")
    assert [_choose(hub, name) for name in NAMES] == list(NAMES)
    assert hub.events()[-1] == "project.resources_set"
    resources.give(hub.office, hub.who("olga"), "cytology", NewResources())
    with pytest.raises(NotNowError):
        _choose(hub, "gpu")


@pytest.mark.parametrize("name", ["ada", "bea", "cora"])
def test_nobody_else_does(hub, name: str) -> None:
    hub.approved()
    answer = hub.client(name).put(f"{API}/projects/cytology/resources", json=GPU.model_dump(mode="json"))
    assert answer.status_code in {403, 404}


def test_a_profile_that_there_is_not_is_refused(hub) -> None:
    hub.approved()
    with pytest.raises(InvalidError):
        resources.give(hub.office, hub.who("olga"), "cytology", NewResources(profiles=("enormous",)))


@pytest.mark.parametrize(
    "wrong",
    [
        "default: none\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1}]",
        "default: a\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1, gpus: 1}]",
        "default: a\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1}, {name: a, title: B, cpu: 1, memory_gb: 1}]",
        "default: a\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1, root: true}]",
        "default: a\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1}, {name: b, title: B, cpu: 1, memory_gb: 1, "
        "groups: [x]}]",
        "default: a\ngroups: [{name: g, title: G, records: [x]}]\n"
        "profiles: [{name: a, title: A, cpu: 1, memory_gb: 1}]",
        "default: a\ngroups: [{name: g, title: G}]\nprofiles: [{name: a, title: A, cpu: 1, memory_gb: 1, groups: [g]}]",
        "[",
    ],
    ids=["default", "hours", "twice", "unknown", "group", "record", "default group", "yaml"],
)
def test_a_table_that_says_what_profiles_cannot_say_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "profiles.yaml").write_text(wrong)
    with pytest.raises(Exception, match=r"profiles.yaml"):
        profiles(HubConfig(home=tmp_path, workspace_profiles="profiles.yaml"))


KEPT = """
default: small
groups:
  - {name: imaging, title: the imaging group, people: [ada], organisations: [" southport  UNIVERSITY"]}
  - {name: trained, title: those with the training, records: [information_governance], people: [alan]}
profiles:
  - {name: small, title: Small, cpu: 1, memory_gb: 1}
  - {name: gpu, title: A card, cpu: 1, memory_gb: 1, gpus: 1, gpu_hours: 1, groups: [imaging, trained], everybody: true}
"""


@pytest.fixture
def kept(hub):
    (hub.office.config.home / "profiles.yaml").write_text(KEPT)
    object.__setattr__(hub.office.config, "workspace_profiles", "profiles.yaml")
    yield hub
    object.__setattr__(hub.office.config, "workspace_profiles", "")


def test_a_profile_is_kept_for_groups_of_people(kept) -> None:
    kept.approved(team=("alan", "bea"))
    assert [_choose(kept, "gpu", who) for who in ("ada", "bea")] == ["gpu", "gpu"]
    with pytest.raises(NotNowError, match="kept for: the imaging group, those with the training"):
        _choose(kept, "gpu", "nora")
    assert _choose(kept, "small", "nora") == "small"


def test_a_group_asks_for_records_that_are_in_force(kept) -> None:
    kept.approved(team=("alan",))
    known = profiles(kept.office.config)
    with kept.office.database.read() as session:
        alan = session.get_one(Person, "alan")
        shown = [record for record in alan.records if record.kind == "information_governance"]
        assert shown
        assert known.may_choose(known.named("gpu"), alan, now())
        assert not known.may_choose(known.named("gpu"), alan, now() + timedelta(days=36_500))


def test_the_page_says_for_whom_a_profile_is_kept(kept) -> None:
    kept.approved(team=("alan",))
    for who, words in (("rufus", "Kept for: the imaging group, those with the training"), ("ada", "opt-profile=gpu")):
        assert words in kept.browser(who).get(f"{PAGES}/projects/cytology").text


# ---- usage


def test_what_runs_counts_up_to_now_and_what_ended_up_to_its_end(hub) -> None:
    hub.approved()
    _run(hub, started_at=now() - timedelta(hours=3))
    with hub.office.database.read() as session:
        assert usage.used(session, "cytology").gpu_hours == pytest.approx(3, abs=0.01)
    usage.ended(hub.office.database, "cytology", "ada", "asked")
    usage.ended(hub.office.database, "cytology", "ada", "again")
    assert _rows(hub) == [("gpu", False)]
    assert [event for event in hub.events() if event.startswith("workspace.")] == [
        "workspace.started",
        "workspace.stopped",
    ]
    with hub.office.database.read() as session:
        spent = usage.used(session, "cytology")
    assert spent.gpu_hours == pytest.approx(3, abs=0.01)
    assert spent.cpu_hours == pytest.approx(24, abs=0.1)


def test_after_a_hub_was_killed_a_workspace_counts_as_long_as_it_was_seen(hub) -> None:
    hub.approved()
    moment = now()
    _run(hub, started_at=moment - timedelta(hours=5), seen_at=moment - timedelta(hours=4))
    assert usage.end_lost(hub.office.database) == 1
    assert usage.end_lost(hub.office.database) == 0
    with hub.office.database.read() as session:
        assert usage.used(session, "cytology").gpu_hours == pytest.approx(1, abs=0.01)


def test_one_that_ran_on_without_its_hub_is_found_again(hub) -> None:
    hub.approved()
    moment = now()
    _run(hub, started_at=moment - timedelta(hours=5), seen_at=moment - timedelta(hours=4))
    usage.end_lost(hub.office.database)
    usage.seen(hub.office.database, "cytology", "ada")
    assert _rows(hub) == [("gpu", True)]
    with hub.office.database.read() as session:
        assert usage.used(session, "cytology").gpu_hours == pytest.approx(5, abs=0.01)


def test_one_that_ended_is_not_found_again(hub) -> None:
    hub.approved()
    _run(hub)
    usage.ended(hub.office.database, "cytology", "ada")
    usage.seen(hub.office.database, "cytology", "ada")
    assert _rows(hub) == [("gpu", False)]


def test_a_start_ends_what_nobody_ended(hub) -> None:
    hub.approved()
    _run(hub, started_at=now() - timedelta(hours=5), seen_at=now() - timedelta(hours=4))
    _run(hub, "small")
    assert _rows(hub) == [("gpu", False), ("small", True)]


def test_the_report_divides_by_month_project_and_person(hub) -> None:
    hub.approved()
    begin, end = datetime(2026, 1, 31, 22, tzinfo=UTC), datetime(2026, 2, 1, 3, tzinfo=UTC)
    _run(hub, started_at=begin, seen_at=end, ended_at=end)
    _run(hub, "small", "alan", started_at=end, seen_at=end, ended_at=end)
    lines = usage_report.report(hub.office, hub.who("olga"), "2026-01", "2026-02")
    assert [(one.month, one.person, one.starts, one.gpu_hours) for one in lines] == [
        ("2026-01", "ada", 1, 2.0),
        ("2026-02", "ada", 0, 3.0),
        ("2026-02", "alan", 1, 0.0),
    ]
    assert usage_report.table(lines).splitlines()[1] == "2026-01,cytology,ada,1,2.0,16.0,2.0"


def test_a_researcher_sees_no_report_and_a_month_is_a_month(hub) -> None:
    hub.approved()
    with pytest.raises(DeniedError):
        usage_report.report(hub.office, hub.who("ada"))
    with pytest.raises(InvalidError):
        usage_report.report(hub.office, hub.who("olga"), "13")


# ---- quotas


def test_over_the_quota_nothing_with_a_card_starts(hub) -> None:
    hub.approved()
    resources.give(hub.office, hub.who("olga"), "cytology", GPU)
    moment = now()
    _run(hub, started_at=moment - timedelta(hours=2), seen_at=moment, ended_at=moment)
    with pytest.raises(NotNowError) as caught:
        _choose(hub, "gpu")
    assert "GPU-hours" in caught.value.message
    assert _choose(hub, "large") == "large"


def test_a_running_one_is_told_and_has_time_to_end(hub) -> None:
    hub.approved()
    resources.give(hub.office, hub.who("olga"), "cytology", GPU)
    _run(hub, started_at=now() - timedelta(hours=1.7))
    (near,) = resources.notices(hub.office, hub.who("ada"), "cytology")
    assert (near.kind, near.stops_at) == ("quota", None)
    _run(hub, started_at=now() - timedelta(hours=2.1))
    assert _overdrawn(hub) == ""
    (over,) = resources.notices(hub.office, hub.who("ada"), "cytology")
    assert over.stops_at is not None
    assert over.stops_at > now()
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        run = session.scalars(select(WorkspaceRun).where(WorkspaceRun.ended_at.is_(None))).one()
        run.over_since = now() - timedelta(minutes=hub.office.config.workspace_grace_minutes)
    assert "GPU-hours" in _overdrawn(hub)


def test_more_hours_let_it_go_on(hub) -> None:
    hub.approved()
    resources.give(hub.office, hub.who("olga"), "cytology", GPU)
    _run(hub, started_at=now() - timedelta(hours=3), over_since=now() - timedelta(hours=1))
    resources.give(hub.office, hub.who("olga"), "cytology", NewResources(profiles=("gpu",), gpu_hours=10))
    assert _overdrawn(hub) == ""
    with hub.office.database.read() as session:
        assert session.scalars(select(WorkspaceRun.over_since)).one() is None


def test_one_without_a_card_goes_on(hub) -> None:
    hub.approved()
    resources.give(hub.office, hub.who("olga"), "cytology", NewResources(gpu_hours=0))
    _run(hub, "small", started_at=now() - timedelta(hours=3), over_since=None)
    assert _overdrawn(hub) == ""


# ---- pages


def test_the_projects_page_offers_what_it_was_given(hub) -> None:
    hub.approved()
    ada, olga = hub.browser("ada"), hub.browser("olga")
    assert "opt-profile" not in ada.get(f"{PAGES}/projects/cytology").text
    resources.give(hub.office, hub.who("olga"), "cytology", GPU)
    page = ada.get(f"{PAGES}/projects/cytology").text
    assert [f"opt-profile={name}" in page for name in NAMES] == [True] * 3
    assert 'name="gpu_hours"' not in page
    assert 'name="gpu_hours"' in olga.get(f"{PAGES}/projects/cytology").text


def test_an_operator_sets_it_on_the_page(hub) -> None:
    hub.approved()
    olga = hub.browser("olga")
    page = olga.get(f"{PAGES}/projects/cytology").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    address = f"{PAGES}/projects/cytology/resources"
    wrong = olga.post(address, data={"csrf_token": token, "gpu_hours": "many"})
    assert wrong.status_code == 422
    sent = {"csrf_token": token, "profiles": ["slice", "gpu"], "gpu_hours": "12.5"}
    assert olga.post(address, data=sent, follow_redirects=False).status_code == 303
    with hub.office.database.read() as session:
        row = session.get_one(ProjectResources, "cytology")
        assert (row.profiles, row.gpu_hours) == (["gpu", "slice"], 12.5)


def test_the_report_is_a_page_and_a_file(hub) -> None:
    hub.approved()
    _run(hub, started_at=now() - timedelta(hours=1))
    olga = hub.browser("olga")
    assert "cytology" in olga.get(f"{PAGES}/usage").text
    assert olga.get(f"{PAGES}/usage/download.csv").text.startswith("month,project_id,person")
    assert olga.get(f"{PAGES}/usage?first=13").status_code == 422


def test_people_are_told_that_a_project_ends(hub) -> None:
    hub.approved()
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        session.get_one(Project, "cytology").expires_at = now() + timedelta(days=2)
    (told,) = hub.client("ada").get(f"{API}/projects/cytology/notices").json()
    assert told["kind"] == "expiry"
    assert told["stops_at"]


def test_whose_workspace_has_run_for_nearly_as_long_as_it_may_is_told(hub) -> None:
    hub.approved()
    hours = hub.office.config.workspace_hours
    _run(hub, "small", started_at=now() - timedelta(hours=hours - 25))
    assert resources.notices(hub.office, hub.who("ada"), "cytology") == []
    _run(hub, "small", started_at=now() - timedelta(hours=hours - 16))
    (told,) = resources.notices(hub.office, hub.who("ada"), "cytology")
    assert told.kind == "longest"
    assert f"as each is after {hours:g} hours" in told.message
    assert told.stops_at is not None
    # nobody else's
    assert resources.notices(hub.office, hub.who("rufus"), "cytology") == []
