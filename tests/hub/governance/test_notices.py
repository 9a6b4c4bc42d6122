"""What Trusts say: verified before anything, mirrored once, and nothing else is reachable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flip_hub.database import Budget, Catalogue, Consent, NoticeSeen, Project, Trust, now
from flip_hub.errors import EnrolmentError
from flip_hub.governance import trusts
from flip_hub.governance.consents import catalogues
from flip_hub.governance.notices import answer_projects
from flip_hub.testing import SigningTrust
from flip_hub.trust_api import create_app
from flip_sdk.accounting.events import Gaussian
from flip_sdk.contract.notices import (
    BudgetLine,
    ConsentNotice,
    LedgerEntry,
    ProjectForTrust,
    SignedNotice,
    TotalLine,
    fingerprint,
)
from flip_sdk.contract.signatures import MAX_JWS_BYTES
from flip_sdk.contract.twins import Twin, TwinColumn
from pydantic import TypeAdapter
from starlette.testclient import TestClient

_PROJECTS = TypeAdapter(list[ProjectForTrust])


@pytest.fixture
def client(hub) -> TestClient:
    return TestClient(create_app(hub.office.config, hub.office.database))


@pytest.fixture
def aldgate(hub) -> SigningTrust:
    return hub.trusts["aldgate"]


def test_a_consent_is_mirrored_and_audited(hub, client, aldgate) -> None:
    hub.approved()
    assert client.post("/notices", content=aldgate.consent("cytology")).status_code == 204
    with hub.office.database.read() as session:
        consent = session.get_one(Consent, ("aldgate", "cytology"))
        assert (consent.state, consent.epsilon) == ("opted_in", 10.0)
        assert session.get_one(Trust, "aldgate").seen_at is not None
    assert hub.events()[-1] == "consent.opted_in"


def test_the_same_notice_is_taken_once(hub, client, aldgate) -> None:
    hub.approved()
    notice = aldgate.consent("cytology")
    assert [client.post("/notices", content=notice).status_code for _ in range(2)] == [204, 409]


def test_an_older_consent_does_not_undo_a_newer_one(hub, client, aldgate) -> None:
    hub.approved()
    older = aldgate.consent("cytology", issued_at=now() - timedelta(seconds=30))
    client.post("/notices", content=aldgate.consent("cytology", state="left"))
    assert client.post("/notices", content=older).status_code == 204
    with hub.office.database.read() as session:
        assert session.get_one(Consent, ("aldgate", "cytology")).state == "left"


def test_status_and_catalogue_are_mirrored(hub, client, aldgate) -> None:
    hub.ready()
    entries = (LedgerEntry(event=Gaussian(noise_multiplier=2.0), times=3),)
    figures = {"epsilon": 10, "epsilon_alone": 40, "delta": 1e-5, "spent": 2.5, "releases": 2, "entries": entries}
    line, unknown = (BudgetLine(project_id=name, **figures) for name in ("cytology", "elsewhere"))
    total = TotalLine(epsilon=50, epsilon_alone=200, delta=1e-5, spent=2.5, max_epsilon_per_job=7)
    before = len(hub.events())
    assert client.post("/notices", content=aldgate.status(budgets=(line, unknown), total=total)).status_code == 204
    assert len(hub.events()) == before
    with hub.office.database.read() as session:
        assert session.get_one(Budget, ("aldgate", "cytology")).spent == 2.5
        assert session.get_one(Budget, ("aldgate", "cytology")).ledger.entries == entries
        assert session.get_one(Trust, "aldgate").version == "0.1.0"
        assert session.get_one(Trust, "aldgate").total == total
        assert len(session.get_one(Catalogue, "aldgate").content.concepts) == 4


def test_a_synthetic_twin_reaches_the_projects_researchers(hub, client, aldgate) -> None:
    hub.ready()
    columns = (TwinColumn(kind="condition", concept_id=2_000_000_101, cells=(-3, 70)),)
    twin = Twin(columns=columns, products=(12.5,), noise=4.0, epsilon=1.0, delta=1e-5)
    assert client.post("/notices", content=aldgate.catalogue(twin=twin)).status_code == 204
    with hub.office.database.read() as session:
        told = {entry.trust: entry.twin for entry in catalogues(session, session.get_one(Project, "cytology"))}
    assert told.pop("aldgate") == twin
    assert not any(told.values())


def test_only_enrolled_trusts_are_heard(client) -> None:
    assert client.post("/notices", content=SigningTrust("aldgate").status()).status_code == 401


def test_a_trust_speaks_for_itself_only(hub, client, aldgate) -> None:
    hub.approved()
    notice = ConsentNotice(trust="brookfield", notice_id="n", project_id="cytology", state="left", issued_at=now())
    signed = aldgate.key.sign(SignedNotice(notice=notice))
    assert client.post("/notices", content=signed).status_code == 401


@pytest.mark.parametrize("minutes", [-3, 3])
def test_old_and_early_notices_are_refused(client, aldgate, minutes: int) -> None:
    late = aldgate.status(issued_at=now() + timedelta(minutes=minutes))
    assert client.post("/notices", content=late).status_code == 401


def test_tampered_and_foreign_records_are_refused(client, aldgate) -> None:
    signed = aldgate.status()
    head, payload, signature = signed.split(b".")
    forged = b".".join((head, payload[:-4] + b"AAAA", signature))
    for content in (forged, b"", b"{}", b"\xff\xfe", aldgate.request()):
        assert client.post("/notices", content=content).status_code == 401
    # signed as a notice's own type, but not a request
    assert client.post("/projects", content=signed).status_code == 401


def test_what_is_too_large_is_not_read(client) -> None:
    assert client.post("/notices", content=b"a" * (MAX_JWS_BYTES + 1)).status_code == 413


def test_a_consent_to_no_project_is_refused(client, aldgate) -> None:
    assert client.post("/notices", content=aldgate.consent("nothing")).status_code == 404


def test_a_trust_sees_the_approved_projects_that_ask_for_it(hub, client, aldgate) -> None:
    hub.approved("one")
    hub.submitted("two")
    hub.approved("three", trusts=("brookfield",))
    hub.expired("four")
    found = _PROJECTS.validate_json(client.post("/projects", content=aldgate.request()).content)
    assert [project.project_id for project in found] == ["one"]
    assert found[0].researchers == ("Ada, Northbridge University",)
    assert found[0].reviewers == ("Rufus, Health Data Board", "Mina, Patient Council")


def test_a_request_is_answered_once(client, aldgate) -> None:
    request = aldgate.request()
    assert [client.post("/projects", content=request).status_code for _ in range(2)] == [200, 409]


def test_old_ids_are_forgotten_when_their_age_refuses_them(hub, client, aldgate) -> None:
    from flip_hub.database import Routine

    with hub.office.database.write(Routine("a test")) as session:
        old = now() - timedelta(seconds=4 * hub.office.config.clock_skew_seconds)
        session.add(NoticeSeen(trust="aldgate", notice_id="old", received_at=old))
    client.post("/notices", content=aldgate.status())
    with hub.office.database.read() as session:
        assert session.get(NoticeSeen, ("aldgate", "old")) is None


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/notices"), ("GET", "/"), ("POST", "/jobs"), ("PUT", "/projects")]
)
def test_nothing_else_is_there(client, method: str, path: str) -> None:
    assert client.request(method, path).status_code in {404, 405}


def test_enrolment_needs_the_fingerprint(hub) -> None:
    record = SigningTrust("carrick").enrolment
    with pytest.raises(EnrolmentError):
        trusts.enrol(hub.office.database, record, fingerprint(SigningTrust("carrick").enrolment), by="olga")
    trusts.enrol(hub.office.database, record, fingerprint(record).replace(" ", "-").upper(), by="olga")
    assert trusts.node_keys(hub.office.database)["carrick"] == record.node_key.encode()


def test_a_name_keeps_its_keys_until_they_are_withdrawn(hub, client) -> None:
    other = SigningTrust("aldgate")
    claimed = fingerprint(other.enrolment)
    with pytest.raises(EnrolmentError):
        trusts.enrol(hub.office.database, other.enrolment, claimed, by="olga")
    trusts.withdraw(hub.office.database, "aldgate", by="olga")
    assert client.post("/notices", content=hub.trusts["aldgate"].status()).status_code == 401
    assert "aldgate" not in trusts.node_keys(hub.office.database)
    trusts.enrol(hub.office.database, other.enrolment, claimed, by="olga")
    assert client.post("/notices", content=other.status()).status_code == 204


def test_a_trust_is_told_what_is_asked_of_it_and_of_no_other(hub) -> None:
    hub.approved()
    asked = hub.trusts["aldgate"].request()
    (told,) = answer_projects(hub.office.config, hub.office.database, asked)
    assert [one.trust for one in told.data] == ["aldgate"]
    assert told.planned_outputs[0].kind == "model"
    assert told.legal_basis.splitlines()[:2] == ["6(1)(e): public task", "9(2)(j): research"]
