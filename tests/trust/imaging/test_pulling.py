"""Fetching, apart from any protocol: patience, politeness, the list of what is complete, and what is told."""

from __future__ import annotations

import time

import pytest
from flip_trust.errors import ImagingError
from flip_trust.imaging import pulling
from flip_trust.imaging.pulling import (
    Fetched,
    Journal,
    Outcome,
    Pace,
    PacsAwayError,
    PacsRefusesError,
    Puller,
    Study,
)


class Scripted:
    """A PACS that says what it is told to, answer by answer; an error is raised."""

    def __init__(self, studies, *answers) -> None:
        self.studies, self.answers, self.fetches = studies, list(answers), 0

    def find(self, accession):
        return said(self.studies)

    def fetch(self, study):
        self.fetches += 1
        return said(self.answers.pop(0))


def said(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.fixture
def pull(tmp_path, spool, monkeypatch):
    monkeypatch.setattr(pulling, "PAUSES", (0.0, 0.0))
    return lambda source: list(Puller(source, spool, Journal(tmp_path)).pull(["A1"]))


ONE = [Study("1.2.3", 4)]


def test_an_overloaded_pacs_is_asked_again(pull):
    source = Scripted(ONE, PacsAwayError(), PacsAwayError(), Fetched(4))

    assert [one.outcome for one in pull(source)] == [Outcome.PULLED]
    assert source.fetches == 3


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Fetched(4), Outcome.PULLED),
        (Fetched(3), Outcome.INCOMPLETE),
        (Fetched(4, failed=1), Outcome.INCOMPLETE),
        (Fetched(0), Outcome.INCOMPLETE),
        (PacsRefusesError("status 0124"), Outcome.REFUSED),
    ],
)
def test_only_what_came_whole_is_complete(pull, tmp_path, answer, outcome):
    [one] = pull(Scripted(ONE, answer))

    assert one.outcome is outcome
    assert Journal(tmp_path).holds(ONE[0]) is (outcome is Outcome.PULLED)


def test_the_worst_of_an_accessions_studies_is_told(pull):
    [one] = pull(Scripted([*ONE, Study("1.2.4", 2)], Fetched(4), Fetched(1)))

    assert (one.outcome, one.expected, one.came) == (Outcome.INCOMPLETE, 6, 5)


def test_a_pacs_that_stays_away_ends_the_run(pull):
    with pytest.raises(ImagingError):
        pull(Scripted(PacsAwayError()))
    [one] = pull(Scripted(PacsRefusesError("C-FIND status A700")))
    assert one.outcome is Outcome.REFUSED


def test_the_list_names_no_study_and_survives_a_line_cut_off(tmp_path):
    Journal(tmp_path).add(ONE[0], 4)
    path = tmp_path / "imaging" / "pulled.jsonl"
    assert "1.2.3" not in path.read_text()
    with path.open("a") as stream:
        stream.write('{"study": "2.25.')

    journal = Journal(tmp_path)
    assert journal.holds(ONE[0])
    assert not journal.holds(Study("1.2.3", 5))
    journal.add(Study("1.2.9", 1), 1)
    assert Journal(tmp_path).holds(Study("1.2.9", 1))


def test_a_rate_is_kept():
    pace, begun = Pace(100), time.monotonic()
    for _ in range(5):
        pace.take(4)

    assert time.monotonic() - begun >= 0.19
    Pace(0).take(10**9)
