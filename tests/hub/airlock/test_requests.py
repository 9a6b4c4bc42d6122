"""Asking for a release: what is refused at once, what is checked, and what is taken back."""

from __future__ import annotations

import json
import threading

import pytest
from flip_hub.airlock import checking, requests
from flip_hub.database import ReleaseRequest, Routine, now
from flip_hub.errors import ConflictError, DeniedError, MissingError, NotNowError
from flip_sdk.contract.airlock import NewRelease, OutputStatement
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import OutputState
from flip_sdk.errors import SpecError
from pydantic import ValidationError

from tests.hub.airlock.conftest import CLEAN, SMALL


def states(request) -> dict[str, str]:
    return {output.statement.path: str(output.state) for output in request.outputs}


def test_files_are_checked_and_wait_for_their_checkers(airlock) -> None:
    request = airlock.submitted({"a.csv": CLEAN, "b.csv": SMALL})
    assert request.checking
    assert states(request) == {"a.csv": "requested", "b.csv": "requested"}
    assert airlock.work() == 1
    request = airlock.show(request.request_id)
    assert not request.checking
    assert states(request) == {"a.csv": "checked", "b.csv": "checked"}
    assert [output.verdict for output in request.outputs] == ["pass", "flag"]
    assert airlock.hub.events()[-2:] == ["release.requested", "output.checked"]
    assert airlock.work() == 0


def test_what_is_never_released_is_refused_with_all_that_was_found(airlock) -> None:
    request = airlock.checked({"a.csv": b"sex,persons\nfemale,3\nmale,0\n", "b.csv": CLEAN})
    assert states(request) == {"a.csv": "blocked", "b.csv": "checked"}
    assert {finding.rule for finding in request.outputs[0].examined.findings} == {"table.small_count", "table.zero"}
    assert "Take it out." in request.outputs[0].reason
    assert request.open
    assert not airlock.checked({"a.csv": b"sex,persons\nmale,0\n"}).open


def test_everything_wrong_is_said_at_once(airlock) -> None:
    files = (
        OutputStatement(path="gone.csv", content=digest(b"gone"), title="Not there", jobs=("no-job",), leaves=False),
        OutputStatement(path="gone.csv/x.csv", content=airlock.upload(CLEAN), title="A folder", leaves=False),
        OutputStatement(
            path="d.ipynb", content=airlock.upload(b"{}"), title="A dashboard", dashboard="report", leaves=False
        ),
    )
    wanted = NewRelease(purpose="For the paper.", files=files, idempotency_key="k")
    with pytest.raises(SpecError) as caught:
        requests.submit(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted)
    assert {violation.rule for violation in caught.value.violations} == {
        *("blob_missing", "job_unknown", "dashboard_differs", "nothing_leaves", "file_is_folder")
    }
    assert "release.requested" not in airlock.hub.events()


@pytest.mark.parametrize("path", ["../x.csv", "/etc/passwd", "a//b", ".hidden", "a/../b", "a\\b", "a\nb", "x" * 201])
def test_paths_that_lead_elsewhere_are_no_paths(path) -> None:
    with pytest.raises(ValidationError):
        OutputStatement(path=path, content=digest(b""), title="A title")


def test_limits_of_size(airlock, monkeypatch) -> None:
    monkeypatch.setitem(airlock.hub.office.config.__dict__, "max_output_bytes", 10)
    monkeypatch.setitem(airlock.hub.office.config.__dict__, "max_request_bytes", 20)
    with pytest.raises(SpecError) as caught:
        airlock.submitted()
    assert {violation.rule for violation in caught.value.violations} == {"file_too_large", "request_too_large"}


def test_the_same_key_gives_the_same_request(airlock) -> None:
    wanted = airlock.wanted({"a.csv": CLEAN})
    found: set[str] = set()

    def submit() -> None:
        found.add(requests.submit(airlock.hub.office, airlock.hub.who("ada"), "cytology", wanted).request_id)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    submit()
    assert len(found) == 1
    other = wanted.model_copy(update={"purpose": "Something else entirely."})
    with pytest.raises(ConflictError):
        requests.submit(airlock.hub.office, airlock.hub.who("ada"), "cytology", other)


@pytest.mark.parametrize(("who", "error"), [("bea", MissingError), ("rufus", DeniedError), ("cora", MissingError)])
def test_only_the_team_asks(airlock, who, error) -> None:
    with pytest.raises(error):
        airlock.submitted(by=who)


def test_nothing_is_asked_of_a_project_that_is_over(airlock) -> None:
    airlock.hub.expired("second")
    wanted = airlock.wanted({"a.csv": CLEAN})
    with pytest.raises(NotNowError):
        requests.submit(airlock.hub.office, airlock.hub.who("ada"), "second", wanted)


def test_a_request_is_taken_back_by_its_team_and_nobody_else(airlock) -> None:
    request = airlock.checked({"a.csv": CLEAN, "b.csv": SMALL})
    with pytest.raises(DeniedError):
        requests.withdraw(airlock.hub.office, airlock.hub.who("cora"), request.request_id)
    request = requests.withdraw(airlock.hub.office, airlock.hub.who("alan"), request.request_id)
    assert set(states(request).values()) == {"withdrawn"}
    assert not request.open
    with pytest.raises(ConflictError):
        requests.withdraw(airlock.hub.office, airlock.hub.who("ada"), request.request_id)


def test_checks_beforehand_are_the_same_and_submit_nothing(airlock) -> None:
    office, ada = airlock.hub.office, airlock.hub.who("ada")
    begun = requests.check(office, ada, "cytology", airlock.wanted({"b.csv": SMALL}))
    assert not begun.done
    airlock.work()
    done = requests.show_check(office, ada, begun.check_id)
    assert done.done
    assert done.files[0].verdict == "flag"
    assert requests.requests_of(office, ada, "cytology") == []
    with pytest.raises(MissingError):
        requests.show_check(office, airlock.hub.who("alan"), begun.check_id)


def test_a_submitters_own_assessments_are_taken_out_on_entry(airlock) -> None:
    crate = {
        "@graph": [
            {"@id": "./", "@type": "Dataset", "mentions": [{"@id": "#run"}, {"@id": "#ok"}]},
            {"@id": "#run", "@type": "CreateAction"},
            {"@id": "#ok", "@type": ["AssessAction"], "name": "Disclosure check: approved"},
            {"@id": "#x", "@type": "Thing", "subjectOf": {"@type": "http://schema.org/AssessAction"}},
        ]
    }
    request = airlock.submitted({"crate/ro-crate-metadata.json": json.dumps(crate).encode()})
    kept = airlock.hub.office.blobs.get(request.outputs[0].statement.content)
    assert b"AssessAction" not in kept
    assert b"#ok" not in kept
    assert b"#run" in kept
    airlock.work()
    assert airlock.show(request.request_id).outputs[0].state is OutputState.CHECKED


def test_a_killed_worker_leaves_nothing_undone(airlock) -> None:
    request = airlock.submitted()
    office = airlock.hub.office

    def killed(*_):
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            checking.work_off(office, killed)
        assert airlock.work() == 0
        checking.begin(office)
    assert airlock.work() == 1
    assert airlock.show(request.request_id).outputs[0].state is OutputState.CHECKED
    assert not any(office.config.airlock.iterdir())


def test_checks_that_always_end_their_process_block_their_files(airlock) -> None:
    request = airlock.submitted()
    with airlock.hub.office.database.write(Routine("a test")) as session:
        session.get_one(ReleaseRequest, request.request_id).attempts = checking.MOST_ATTEMPTS
    airlock.work()
    assert states(airlock.show(request.request_id)) == {"table.csv": "blocked"}


def test_checks_that_fail_are_tried_again_and_then_block(airlock) -> None:
    request = airlock.submitted()

    def broken(*_):
        raise OSError("no room")

    for attempt in range(checking.MOST_ATTEMPTS):
        assert states(airlock.show(request.request_id)) == {"table.csv": "requested"}, attempt
        checking.work_off(airlock.hub.office, broken)
        with airlock.hub.office.database.write(Routine("a test turns the clock")) as session:
            session.get_one(ReleaseRequest, request.request_id).claimed_until = now()
    assert states(airlock.show(request.request_id)) == {"table.csv": "blocked"}


def test_real_checks_run_in_their_sandbox(airlock) -> None:
    request = airlock.submitted({"a.csv": b"ward,persons\nnorth,240\nsouth,310\n", "b.csv": SMALL})
    assert checking.work_off(airlock.hub.office) == 1
    request = airlock.show(request.request_id)
    rules = [{finding.rule for finding in output.examined.findings} for output in request.outputs]
    assert ["table.small_count" in found for found in rules] == [False, True]
    assert request.outputs[1].verdict == "flag"
