"""A training's floor, shown by a number of persons that was told before."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.images import SeriesImages
from flip_sdk.contract.jobs import Privacy
from flip_sdk.contract.tasks import RefusalCode
from flip_trust import catalogue, told
from flip_trust.audit import Entry
from flip_trust.disclosure import floors

from tests.trust.world import PROJECT, answer_of, count_spec, train_spec

NOW = datetime.now(UTC)
NOBODY = Cohort(criteria=(AgeBetween(low=119, high=120),))
TINY = Privacy(epsilon=0.02, delta=1e-5)


def write(trust, *statements) -> None:
    with trust.database.transaction() as transaction:
        transaction.write(Entry("test", "told", "trust/here"), *statements)


def asked(trust, parts):
    """Why a task was refused; None where it was answered."""
    record, _ = answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))
    return getattr(record, "code", None)


def prepared(trust, **changes):
    """The same of a tiny training's ``prepare``."""
    return asked(trust, trust.hub.prepare(trust.hub.job(train_spec(privacy=TINY, **changes))))


@pytest.fixture
def ready(trust, running, monkeypatch):
    """A Trust where a job's own number is never enough: at a tiny ε it would be, once in a thousand times."""
    monkeypatch.setattr(floors, "gaussian_threshold", lambda floor, deviation: math.inf)
    trust.opt_in()
    running(trust)
    return trust


def test_the_catalogues_number_shows_it(ready):
    catalogue.compile_notice(ready.config, ready.database, 0.5, "sam", NOW)

    assert prepared(ready) is None
    assert [e["details"] for e in ready.events("task.accepted")][-1] == {"floor": "shown by a number told before"}


def test_it_shows_less_about_smaller_parts_and_nothing_about_who_has_images(ready):
    catalogue.compile_notice(ready.config, ready.database, 0.5, "sam", NOW)
    with ready.database.transaction() as reader:

        def shows(**changes):
            return told.shows_floor(reader, train_spec(**changes), ready.config)

        assert shows()
        assert shows(part="all")
        assert shows(part="validation")
        assert not shows(images=SeriesImages(modality="CT", size=(8, 8)))
    write(ready, told.note(PROJECT, Cohort(), 80, 0.5, 5, NOW + timedelta(days=1)))
    with ready.database.transaction() as reader:
        assert shows(part="fit")
        assert not shows(part="validation")


def test_the_projects_own_count_shows_it(ready):
    assert asked(ready, ready.hub.parts(ready.hub.job(count_spec(epsilon=0.5)), "count")) is None

    assert prepared(ready) is None


@pytest.mark.parametrize(
    ("project", "cohort", "persons", "epsilon"),
    [
        ("another", Cohort(), 400, 1.0),
        (PROJECT, count_spec(cohort={"criteria": [{"kind": "sex", "concept_ids": [8532]}]}).cohort, 400, 1.0),
        (None, Cohort(), 25, 1.0),
        (None, Cohort(), 60, 0.1),
    ],
    ids=["another project's", "another cohort's", "small", "noisy"],
)
def test_numbers_that_show_nothing(ready, project, cohort, persons, epsilon):
    write(ready, told.note(project, cohort, persons, epsilon, 5, NOW))

    assert prepared(ready) == RefusalCode.COHORT_TOO_SMALL


def test_the_newest_number_counts(ready):
    write(
        ready, told.note(None, Cohort(), 400, 1.0, 5, NOW), told.note(PROJECT, Cohort(), 15, 1.0, 5, NOW + timedelta(1))
    )

    assert prepared(ready) == RefusalCode.COHORT_TOO_SMALL


def test_a_count_that_was_kept_back_outweighs_an_older_one(ready):
    write(ready, told.note(PROJECT, NOBODY, 400, 1.0, 5, NOW - timedelta(days=1)))
    assert prepared(ready, cohort=NOBODY) is None

    assert asked(ready, ready.hub.parts(ready.hub.job(count_spec(cohort=NOBODY)), "count")) is None

    assert prepared(ready, cohort=NOBODY) == RefusalCode.COHORT_TOO_SMALL


def test_a_new_catalogue_makes_older_numbers_void(ready):
    write(ready, told.note(PROJECT, Cohort(), 400, 1.0, 5, NOW + timedelta(days=1)))
    catalogue.compile_notice(ready.config, ready.database, 0.001, "sam", NOW)

    assert prepared(ready) == RefusalCode.COHORT_TOO_SMALL
