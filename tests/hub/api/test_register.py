"""The public register: found without signing in, and nothing else is."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
from flip_hub.database import Project, Routine, Submission, now
from flip_hub.governance import projects, witness
from flip_sdk.contract.logs import PublishedRoots
from flip_sdk.contract.register import DataUse, DataUses

from tests.hub.conftest import PAGES

SECRET = "a patent that nobody is to know of"
API = f"{PAGES}/api/register"


@pytest.fixture
def nobody(hub):
    """A browser that is not signed in."""
    return hub.client()


def test_only_approved_projects_are_in_it(hub, nobody) -> None:
    hub.ready(interests=SECRET)
    hub.draft("hidden-draft", title="A secret draft")
    hub.submitted("hidden-too", title="A secret application")
    page = nobody.get(f"{PAGES}/register")
    assert page.status_code == 200
    assert "Breast cytology" in page.text
    assert "secret" not in page.text
    assert [one.project_id_text for one in DataUses.parse(nobody.get(API).content).data] == ["cytology"]
    for name in ("hidden-draft", "hidden-too", "nowhere"):
        answers = [nobody.get(f"{PAGES}/register/{name}"), nobody.get(f"{API}/projects/{name}")]
        assert [one.status_code for one in answers] == [404, 404]
        # one that is not public looks like one that is not there
        assert answers[1].json() == nobody.get(f"{API}/projects/nowhere").json()


def test_nothing_but_public_fields_is_told_or_found(hub, nobody) -> None:
    hub.ready(interests=SECRET, compute_notes=SECRET, team=("alan",))
    pages = [f"{PAGES}/register", f"{PAGES}/register/cytology", API, f"{API}.csv", f"{API}/projects/cytology"]
    for address in pages:
        answer = nobody.get(address)
        assert answer.status_code == 200
        for private in ("patent", "rufus", "mina", "ada", "alan"):
            assert f"{private}" not in answer.text.split(), (address, private)
            assert f'"{private}"' not in answer.text
    # a search is no way to find out either
    assert DataUses.parse(nobody.get(API, params={"find": "patent"}).content).total == 0
    assert DataUses.parse(nobody.get(API, params={"find": "alan"}).content).total == 0
    assert DataUses.parse(nobody.get(API, params={"find": "CYTOLOGY benign"}).content).total == 1


def test_what_was_edited_after_the_approval_is_not_told(hub, nobody) -> None:
    hub.ready()
    with hub.office.database.write(Routine("somebody edits")) as session:
        row = session.get_one(Project, "cytology")
        row.application = row.application.model_copy(update={"lay_summary": "Edited, and approved by nobody."})
    assert "Edited" not in nobody.get(f"{PAGES}/register/cytology").text


def test_a_project_by_the_standard(hub, nobody) -> None:
    hub.ready(funders=("A charity",))
    found = DataUse.parse(nobody.get(f"{API}/projects/cytology").content)
    assert found.project_title == "Breast cytology"
    assert found.organisation_sector == "University or research institute"
    assert found.legal_basis_for_data_article6.startswith("6(1)(e)")
    assert found.latest_approval_date == now().date()
    assert [one.consent for one in found.federated.trusts] == ["opted_in"] * len(found.federated.trusts)
    assert found.federated.trusts[0].why == "To train on"


def test_a_closed_project_stays_in_it(hub, nobody) -> None:
    hub.ready()
    projects.change_state(hub.office, hub.who("olga"), "cytology", "closed", "Done.")
    found = DataUse.parse(nobody.get(f"{API}/projects/cytology").content)
    assert found.federated.state == "closed"
    assert found.federated.closed_at is not None
    page = nobody.get(f"{PAGES}/register/cytology").text
    assert "Closed" in page
    # the certificate says who closed it and why; this does not
    assert "Closing certificate" in page
    assert "Not complete yet." in page
    assert found.federated.closing is not None
    assert not found.federated.closing.complete
    assert "Done." not in page
    assert "olga" not in found.model_dump_json()


def test_filters_and_pages(hub, nobody) -> None:
    hub.ready()
    with hub.office.database.write(Routine("many")) as session:
        one = session.get_one(Project, "cytology")
        for number in range(30):
            session.add(
                Project(
                    project_id=f"p{number}",
                    state="approved",
                    application=one.application,
                    owner="ada",
                    version=1,
                    created_at=now(),
                    expires_at=one.expires_at,
                )
            )
            session.flush()
            session.add(
                Submission(
                    project_id=f"p{number}",
                    version=1,
                    application=one.application,
                    submitted_by="ada",
                    submitted_at=now(),
                )
            )
    first = DataUses.parse(nobody.get(API).content)
    second = DataUses.parse(nobody.get(API, params={"page": 2}).content)
    assert (first.total, len(first.data), len(second.data)) == (31, 25, 6)
    assert "Next page" in nobody.get(f"{PAGES}/register").text
    for asked, total in (({"state": "closed"}, 0), ({"trust": "aldgate"}, 31), ({"trust": "nowhere"}, 0)):
        assert DataUses.parse(nobody.get(API, params=asked).content).total == total
    assert nobody.get(API, params={"state": "draft"}).status_code == 422


def test_programs_may_cache_it_and_read_it_from_other_pages(hub, nobody) -> None:
    hub.ready()
    answer = nobody.get(API, headers={"origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "max-age" in answer.headers["cache-control"]
    again = nobody.get(API, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    schema = nobody.get(f"{API}/schema.json").json()
    jsonschema.validate(answer.json(), schema)


def test_the_table_is_no_formula(hub, nobody) -> None:
    hub.ready(title='=HYPERLINK("http://elsewhere")')
    rows = list(csv.DictReader(io.StringIO(nobody.get(f"{API}.csv").text)))
    assert rows[0]["project_title"].startswith("'=")
    assert rows[0]["state"] == "approved"


def test_the_roots_are_public_and_verify(hub, nobody) -> None:
    hub.ready()
    empty = nobody.get(f"{PAGES}/register/audit")
    assert empty.status_code == 200
    root = witness.keep_up(hub.office.config, hub.office.database)
    page = nobody.get(f"{PAGES}/register/audit")
    assert root.root in page.text
    told = PublishedRoots.parse(nobody.get(f"{API}/audit/roots.json").content)
    assert [one.root for one in told.roots] == [root]
    # the roots say nothing of what is in the log
    assert "project." not in json.dumps(told.model_dump(mode="json"))
