"""The end of a project: warned of, brought forward, workspaces stopped, everything purged and certified."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from flip_hub.api.sweep import HubStopper, sweep
from flip_hub.database import BlobUse, Job, Project, Routine, now
from flip_hub.errors import InvalidError, MissingError
from flip_hub.governance import closing, expiry, intake, notices, projects
from flip_hub.keys import signing_key
from flip_sdk.contract.applications import Reference
from flip_sdk.contract.closing import ClosingCertificate, PurgedItem, PurgeOrder
from flip_sdk.contract.notices import SignedNotice
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import verify


class _Stopper:
    """Keeps whom it was told to stop."""

    def __init__(self, *, works: bool = True) -> None:
        self.stopped: list[tuple[str, str]] = []
        self.works = works

    def stop(self, person: str, project: str) -> bool:
        self.stopped.append((person, project))
        return self.works


def _ends_in(hub, **time: float) -> None:
    with hub.office.database.write(Routine("a test turns the clock")) as session:
        session.get_one(Project, "cytology").expires_at = now() + timedelta(**time)


def test_people_are_warned_30_7_and_1_days_ahead_once_each(hub) -> None:
    hub.approved(team=("alan",))
    assert expiry.warn(hub.office.database) == []
    for days in (29, 6.5, 0.9):
        _ends_in(hub, days=days)
        told = expiry.warn(hub.office.database)
        assert (told, expiry.warn(hub.office.database)) == (["cytology"], [])
    with hub.office.database.read() as session:
        project = session.get_one(Project, "cytology")
        warnings = expiry.warnings_of(session, project)
        assert [one.days for one in warnings] == [30, 7, 1]
        assert warnings[0].people == ["ada", "alan"]
        assert "It ends" in expiry.words(project)
    assert hub.events().count("project.expiry_warned") == 3
    assert "The project ends soon" in hub.browser("ada").get("/services/flip/projects/cytology").text


def test_an_approval_that_is_needed_ends_the_project_with_itself(hub) -> None:
    soon = (now() + timedelta(days=5)).date()
    hub.approved(references=(Reference(kind="rec", number="24/LO/0001", expires_on=soon, needed=True),))
    view = projects.show(hub.office, hub.who("ada"), "cytology")
    assert view.expires_at.date() == soon
    assert expiry.warn(hub.office.database) == ["cytology"]
    with hub.office.database.read() as session:
        assert "24/LO/0001" in expiry.words(session.get_one(Project, "cytology"))


@pytest.mark.parametrize("ending", ["suspended", "expired", "closed"])
def test_workspaces_of_an_ended_project_are_stopped_until_they_are(hub, ending: str) -> None:
    hub.approved(team=("alan",))
    sweep(hub.office, stopper := _Stopper())
    assert stopper.stopped == []
    if ending == "expired":
        _ends_in(hub, seconds=-1)
    else:
        projects.change_state(hub.office, hub.who("olga"), "cytology", ending, "Asked to.")
    sweep(hub.office, refusing := _Stopper(works=False))
    sweep(hub.office, stopper)
    assert refusing.stopped == stopper.stopped == [("ada", "cytology"), ("alan", "cytology")]
    sweep(hub.office, stopper)
    assert len(stopper.stopped) == 2
    assert "project.workspaces_closed" in hub.events()


def test_the_stopper_asks_jupyterhub_with_its_token() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response({"ada": 204, "alan": 202, "bea": 404, "mina": 500}[request.url.path.split("/")[4]])

    environ = {"JUPYTERHUB_API_URL": "http://hub/hub/api", "JUPYTERHUB_API_TOKEN": "t"}
    stopper = HubStopper(environ, httpx.MockTransport(answer))
    assert [stopper.stop(name, "cytology") for name in ("ada", "alan", "bea", "mina")] == [True, False, True, False]
    assert asked[0].url.path == "/hub/api/users/ada/servers/cytology"
    assert asked[0].headers["authorization"] == "token t"


def test_closing_purges_the_hub_and_certifies_it(hub) -> None:
    hub.ready()
    office = hub.office
    home = office.config.workspaces / "cytology" / "ada"
    home.mkdir(parents=True)
    (home / "notes.txt").write_text("mine")
    shared, own = office.blobs.put(b"of two projects"), office.blobs.put(b"of this one")
    hub.draft("other", owner="bea")
    with office.database.write(Routine("a test plays uploads")) as session:
        for project, content in (("cytology", shared), ("cytology", own), ("other", shared)):
            session.add(BlobUse(project_id=project, digest=content, size=1, by="ada", at=now()))
    job = intake.submit_job(office, hub.who("ada"), "cytology", hub.count())
    with pytest.raises(MissingError):
        closing.certificate(office, hub.who("ada"), "cytology")
    projects.change_state(office, hub.who("olga"), "cytology", "closed", "Done.")
    sweep(office, _Stopper())
    assert closing.certificate(office, hub.who("ada"), "cytology").certificate.hub_purged_at is None
    with office.database.write(Routine("a test plays the dispatcher")) as session:
        session.get_one(Job, job.job_id).state = "cancelled"
    sweep(office, _Stopper())
    assert not home.parent.exists()
    assert (office.blobs.has(shared), office.blobs.has(own)) == (True, False)
    signed = closing.certificate(office, hub.who("olga"), "cytology")
    found = verify(signed.jws, signing_key(office.config, "governance").public, ClosingCertificate)
    assert found == signed.certificate
    counts = {item.what: item.count for item in found.hub}
    assert (counts["files in workspaces"], counts["files and models"]) == (1, 1)
    blobs = next(item for item in found.hub if item.what == "files and models")
    assert blobs.contents == digest(f'["{own}"]'.encode())
    assert found.pending == ("aldgate", "brookfield")
    aldgate, brookfield = hub.trusts.values()
    (jws,) = notices.answer_purges(office.config, office.database, aldgate.request(asks="purges"))
    order = verify(jws, signing_key(office.config, "governance").public, PurgeOrder)
    item = PurgedItem(what="files of frozen cohorts", count=3, contents=digest(b"names"))
    with pytest.raises(MissingError):
        hub.notice(brookfield.purged("cytology", order.order_id, item))
    hub.notice(aldgate.purged("cytology", order.order_id, item))
    assert notices.answer_purges(office.config, office.database, aldgate.request(asks="purges")) == []
    signed = closing.certificate(office, hub.who("olga"), "cytology")
    part = signed.certificate.trusts[0]
    assert (part.items, signed.certificate.pending) == ((item,), ("brookfield",))
    assert verify(part.statement, aldgate.key.public, SignedNotice).notice.items == (item,)
    assert "project.purged_at_trust" in hub.events()
    assert hub.events().count("project.purged") == 1
    page = hub.browser("ada").get("/services/flip/projects/cytology/certificate").text
    assert "Not answered yet: brookfield" in page
    assert hub.client("ada").get("/services/flip/api/projects/cytology/certificate").json()["jws"] == signed.jws
    assert hub.client("bea").get("/services/flip/api/projects/cytology/certificate").status_code == 404


def test_a_suspension_needs_a_reason(hub) -> None:
    hub.approved()
    with pytest.raises(InvalidError):
        projects.change_state(hub.office, hub.who("olga"), "cytology", "suspended", "  ")
