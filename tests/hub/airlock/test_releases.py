"""What is released is exactly what was checked and approved; its crate, its criteria, its dashboard, its revocation."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from flip_hub.airlock import decisions, releases
from flip_hub.dashboards import versions
from flip_hub.database import Release, Routine
from flip_hub.errors import ConflictError, DeniedError, InvalidError, MissingError, UnavailableError
from flip_hub.governance import dashboards, intake
from flip_sdk.contract.airlock import DecideOutputs
from flip_sdk.contract.api import PublishDashboard
from flip_sdk.contract.states import OutputState
from sqlalchemy import select

from tests.hub.airlock.conftest import CLEAN


def only(airlock) -> Release:
    with airlock.hub.office.database.read() as session:
        return session.scalars(select(Release)).one()


def served(airlock, who: str | None, part: str = "file") -> bytes:
    subject = airlock.hub.who(who) if who else None
    return releases.serve(airlock.hub.office, subject, only(airlock).release_id, part).content


def damage(airlock, digest: str) -> None:
    airlock.hub.office.blobs.path(digest).write_bytes(b"sex,persons\nfemale,1\n")


def test_the_team_fetches_it_and_nobody_else(airlock) -> None:
    airlock.released()
    assert served(airlock, "alan") == CLEAN
    assert airlock.hub.events()[-1] == "output.downloaded"
    for who in ("bea", "rufus", "cora", None):
        with pytest.raises(MissingError):
            served(airlock, who)


def test_what_is_public_is_fetched_by_everybody(airlock) -> None:
    airlock.released(audience="public")
    events = airlock.hub.events()
    assert served(airlock, None) == served(airlock, "bea") == CLEAN
    assert len(airlock.hub.events()) == len(events) + 1


def test_a_file_that_changed_after_its_checks_is_not_released(airlock) -> None:
    request = airlock.checked()
    airlock.decide(request, "cora")
    damage(airlock, request.outputs[0].statement.content)
    with pytest.raises(ConflictError):
        airlock.decide(request, "cyril")
    assert airlock.show(request.request_id).outputs[0].state is OutputState.IN_REVIEW
    assert releases.releases_of(airlock.hub.office, airlock.hub.who("ada"), "cytology") == []


def test_a_file_that_changed_before_its_checks_is_blocked(airlock) -> None:
    request = airlock.submitted()
    damage(airlock, request.outputs[0].statement.content)
    for _ in range(3):
        airlock.work()
        with airlock.hub.office.database.write(Routine("a test turns the clock")) as session:
            from flip_hub.database import ReleaseRequest

            session.get_one(ReleaseRequest, request.request_id).claimed_until = None
    assert airlock.show(request.request_id).outputs[0].state is OutputState.BLOCKED


def test_a_file_that_changed_after_its_release_is_not_served(airlock) -> None:
    airlock.released()
    damage(airlock, only(airlock).content)
    with pytest.raises(UnavailableError):
        served(airlock, "ada")


def test_what_is_revoked_is_no_longer_served_and_stays_on_record(airlock) -> None:
    request = airlock.released(audience="public")
    output = request.outputs[0].output_id
    office = airlock.hub.office
    with pytest.raises(DeniedError):
        releases.revoke(office, airlock.hub.who("ada"), output, "No longer needed.")
    done = releases.revoke(office, airlock.hub.who("chloe"), output, "A person could be recognised.")
    assert done.outputs[0].state is OutputState.REVOKED
    for who in ("ada", None):
        with pytest.raises(DeniedError):
            served(airlock, who)
    (kept,) = releases.releases_of(office, airlock.hub.who("ada"), "cytology")
    assert kept.revoked_because == "A person could be recognised."
    with pytest.raises(ConflictError):
        releases.revoke(office, airlock.hub.who("chloe"), output, "Once more.")
    assert not airlock.checked({"again.csv": CLEAN}).outputs[0].approved_before


def test_the_criteria_are_bound_to_the_release(airlock) -> None:
    airlock.released()
    criteria = json.loads(served(airlock, "ada", "criteria"))
    assert criteria["content"] == only(airlock).content
    assert criteria["limits"]["threshold"] >= 5
    assert [decision["decision"] for decision in criteria["decisions"]] == ["approve", "approve"]
    assert "cora" not in json.dumps(criteria)
    with pytest.raises(MissingError):
        served(airlock, "ada", "secrets")


def crate_of(content: bytes) -> tuple[dict[str, bytes], dict[str, dict[str, Any]]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    graph = json.loads(files["data/ro-crate-metadata.json"])["@graph"]
    return files, {entity["@id"]: entity for entity in graph}


def test_its_crate_is_a_bag_that_is_whole(airlock) -> None:
    airlock.released()
    files, _ = crate_of(served(airlock, "ada", "crate"))
    for line in files["manifest-sha512.txt"].decode().splitlines():
        digest, _, path = line.partition("  ")
        assert hashlib.sha512(files[path]).hexdigest() == digest
    assert files["data/outputs/table.csv"] == CLEAN
    assert b"External-Identifier: urn:uuid:" in files["bag-info.txt"]


def test_its_crate_says_what_five_safes_asks_for(airlock) -> None:
    hub = airlock.hub
    hub.ready("second")
    for trust in hub.trusts.values():
        hub.notice(trust.consent("cytology"))
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    airlock.released({"table.csv": CLEAN}, **{"table.csv": {"jobs": (job.job_id,)}})
    files, graph = crate_of(served(airlock, "ada", "crate"))
    root = graph["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/5s-crate/0.4"}
    assert graph[root["sourceOrganization"]["@id"]]["@type"] == "Project"
    assert graph[root["mainEntity"]["@id"]]["@type"] == "Dataset"
    mentioned = [graph[entity["@id"]] for entity in root["mentions"]]
    run = next(entity for entity in mentioned if entity["@type"] == "CreateAction")
    assert run["instrument"] == root["mainEntity"]
    agent = graph[run["agent"]["@id"]]
    assert (agent["name"], agent["memberOf"]) == ("Ada", {"@id": "#project"})
    assert graph[agent["affiliation"]["@id"]]["name"] == "Northbridge University"
    assert run["result"] == {"@id": "outputs/table.csv"}
    checks = [entity for entity in mentioned if entity["@type"] == "AssessAction"]
    assert [check["additionalType"]["@id"].rpartition("#")[2] for check in checks] == [
        *("DisclosureCheck", "DisclosureCheck", "DisclosureCheck", "SignOff")
    ]
    assert all({"@id": "./"} in check["object"] and check["endTime"] for check in checks)
    text = files["data/ro-crate-metadata.json"].decode()
    assert "cora" not in text.casefold()
    pointed = {v["@id"] for e in graph.values() for v in e.values() if isinstance(v, dict) and "@id" in v}
    assert {one for one in pointed if one.startswith("#")} <= graph.keys()


NOTEBOOK = b'{"cells": []}'


def published(airlock, content: bytes, **about: Any) -> bytes:
    wanted = PublishDashboard(notebook=airlock.upload(content), name="report", **about)
    dashboards.publish(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted)
    return content


def asked(airlock, content: bytes, **changes: Any):
    return airlock.checked({"report.txt": content}, **{"report.txt": {"dashboard": "report"}}, **changes)


def states(airlock) -> list[tuple[int, str, bool]]:
    found = dashboards.history(airlock.hub.office, airlock.hub.who("ada"), "cytology", "report")
    return [(one.version, str(one.state), one.shown) for one in found]


def approved(airlock, request) -> str:
    for who in ("cora", "cyril"):
        done = airlock.decide(request, who)
    return done.outputs[0].output_id


def test_a_dashboard_is_released_with_its_notebook_and_jobs(airlock) -> None:
    office = airlock.hub.office
    output = approved(airlock, asked(airlock, published(airlock, NOTEBOOK), audience="signed-in"))
    (view,) = dashboards.history(office, airlock.hub.who("ada"), "cytology", "report")
    assert (view.state, view.audience, view.shown) == (OutputState.RELEASED, "signed-in", True)
    releases.revoke(office, airlock.hub.who("cora"), output, "It shows too much.")
    assert states(airlock) == [(1, "revoked", False)]


def test_who_may_embed_a_dashboard_is_decided_with_it_and_with_no_other_version(airlock) -> None:
    ours, theirs = ("https://intranet.example.org",), ("https://elsewhere.example.org",)
    waiting = asked(airlock, published(airlock, NOTEBOOK, frames=ours), audience="public")
    (finding,) = waiting.outputs[0].examined.findings
    assert (finding.rule, waiting.outputs[0].examined.verdict) == ("dashboard.embedded", "flag")
    assert ours[0] in finding.message
    with pytest.raises(InvalidError):
        airlock.decide(waiting, "cora")
    # the same notebook, published again meanwhile for others to embed, is not what they looked at
    published(airlock, NOTEBOOK, frames=theirs)
    for who in ("cora", "cyril"):
        airlock.decide(waiting, who, reason="It is our own intranet.")
    newer, shown = dashboards.history(airlock.hub.office, airlock.hub.who("ada"), "cytology", "report")
    assert (shown.state, shown.frames) == (OutputState.RELEASED, ours)
    assert (newer.state, newer.frames) == (OutputState.REQUESTED, theirs)
    with airlock.hub.office.database.read() as session:
        rows = versions.versions_of(session, "cytology", "report")
        assert [versions.may_embed(row) for row in rows] == [(), ours]
        rows[1].audience = "signed-in"
        assert versions.may_embed(rows[1]) == ()
        session.rollback()


def test_the_released_version_is_shown_until_the_next_one_is_released_and_one_may_go_back(airlock) -> None:
    office = airlock.hub.office
    approved(airlock, asked(airlock, published(airlock, NOTEBOOK)))
    waiting = asked(airlock, published(airlock, NOTEBOOK + b"\n"))
    assert states(airlock) == [(2, "requested", False), (1, "released", True)]
    # a newer draft changes nothing of what was approved
    published(airlock, NOTEBOOK + b"\n\n")
    second = approved(airlock, waiting)
    assert states(airlock) == [(3, "requested", False), (2, "released", True), (1, "released", False)]

    with pytest.raises(ConflictError):
        dashboards.show_version(office, airlock.hub.who("ada"), "cytology", "report", 3)
    for who in ("alan", "bea", "nina"):
        with pytest.raises(DeniedError):
            dashboards.show_version(office, airlock.hub.who(who), "cytology", "report", 1)
    for who, version in (("ada", 1), ("cora", 2)):
        assert dashboards.show_version(office, airlock.hub.who(who), "cytology", "report", version).shown
    # what is revoked is not followed by an earlier one by itself
    releases.revoke(office, airlock.hub.who("cora"), second, "It shows too much.")
    assert states(airlock) == [(3, "requested", False), (2, "revoked", False), (1, "released", False)]
    assert airlock.hub.events().count("dashboard.version_shown") == 2


@pytest.mark.parametrize(
    ("asked", "said", "audience"),
    [
        ("public", (None, None), "public"),
        ("public", ("signed-in", None), "signed-in"),
        ("public", ("signed-in", "project"), "project"),
        ("project", ("public", "public"), "project"),
    ],
    ids=["as-asked", "one-narrows", "the-narrowest", "none-widens"],
)
def test_checkers_narrow_for_whom_it_is(airlock, asked, said, audience) -> None:
    request = airlock.checked(audience=asked)
    for who, one in zip(("cora", "cyril"), said, strict=True):
        chosen = tuple(output.output_id for output in request.outputs)
        wanted = DecideOutputs(outputs=chosen, decision="approve", audience=one)
        decisions.decide(airlock.hub.office, airlock.hub.who(who), request.request_id, wanted)
    assert only(airlock).audience == audience


def test_what_is_for_everybody_signed_in_is_not_for_everybody(airlock) -> None:
    airlock.released(audience="signed-in")
    assert served(airlock, "bea") == CLEAN
    with pytest.raises(MissingError):
        served(airlock, None)
