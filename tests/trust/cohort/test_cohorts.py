from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.records import digest
from flip_trust.admission import admit
from flip_trust.agent.serve import grounds_of
from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.select import SNAPSHOT_FILE, CohortSnapshot, count, delete, keep_graph, kept_graph, select
from flip_trust.cohort.split import part_of
from flip_trust.errors import SetupError
from flip_trust.verify import verify_task

from tests.trust.world import BENIGN, FEMALE, GRAPH, MALIGNANT, NAME, PROJECT, RADIUS, TEXTURE, count_spec, train_spec

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def omop(trust) -> Omop:
    return Omop(trust.config.omop)


def ids(omop, *criteria) -> set[int]:
    return set(persons_in(Cohort(criteria=criteria), omop, NOW.year).collect()["person_id"])


def accepted(trust, parts):
    verified = verify_task(parts, hub=trust.hub.pinned, trust=NAME, now=datetime.now(UTC), seen=lambda _: False)
    grounds = grounds_of(trust.config, Omop(trust.config.omop), sandboxed=True)
    return admit(verified, database=trust.database, config=trust.config, grounds=grounds, now=datetime.now(UTC))


def test_no_criteria_is_everyone(omop):
    assert len(ids(omop)) == 400


def test_age_counts_from_the_year_of_birth(omop):
    born = dict(omop.persons().select("person_id", "year_of_birth").collect().iter_rows())
    found = ids(omop, AgeBetween(low=40, high=50))

    assert found == {person for person, year in born.items() if 40 <= NOW.year - year <= 50}


def test_conditions_and_their_negation_divide_everyone(omop):
    ill, others = (
        ids(omop, HasCondition(concept_ids=(MALIGNANT,))),
        ids(omop, HasCondition(concept_ids=(MALIGNANT,), negate=True)),
    )

    assert ill | others == ids(omop)
    assert not ill & others
    assert others == ids(omop, HasCondition(concept_ids=(BENIGN,)))


def test_the_latest_measurement_counts(omop):
    assert ids(omop, MeasurementBetween(concept_id=RADIUS, low=0, high=1)) == set()
    assert ids(omop, MeasurementBetween(concept_id=RADIUS, low=1, high=100)) == ids(omop)


def test_who_was_not_measured_is_outside_and_inside_the_negation(omop):
    measured = ids(omop, MeasurementBetween(concept_id=TEXTURE, low=-1e9, high=1e9))

    assert len(measured) == 360
    assert ids(omop, MeasurementBetween(concept_id=TEXTURE, low=-1e9, high=1e9, negate=True)) == ids(omop) - measured


def test_all_criteria_have_to_hold(omop):
    both = ids(omop, SexIs(concept_ids=(FEMALE,)), HasCondition(concept_ids=(MALIGNANT,)), AgeBetween(low=60))

    assert both == ids(omop, HasCondition(concept_ids=(MALIGNANT,))) & ids(omop, AgeBetween(low=60))


def test_what_is_not_recorded_does_not_hold(omop):
    person = (
        omop.table("person")
        .collect()
        .with_columns(year_of_birth=pl.when(pl.col("person_id") == 1001).then(None).otherwise("year_of_birth"))
    )
    person.write_parquet(omop.folder / "person.parquet")

    assert 1001 not in ids(omop, AgeBetween())
    assert ids(omop, AgeBetween(negate=True)) == {1001}


def test_a_person_listed_twice_is_one_person(omop):
    person = omop.table("person").collect()
    pl.concat([person, person.head(5)]).write_parquet(omop.folder / "person.parquet")

    assert persons_in(Cohort(), omop, NOW.year).collect().height == 400


def test_values_that_are_no_numbers_are_missing(omop):
    measured = omop.table("measurement").collect().with_columns(value_as_number=pl.lit(float("nan")))
    measured.write_parquet(omop.folder / "measurement.parquet")

    assert omop.latest([RADIUS]).collect().height == 0


def test_of_values_that_nothing_tells_apart_the_largest_is_the_latest_whoever_else_is_there(tmp_path):
    rows = np.arange(60_000)
    measured = pl.DataFrame(
        {"person_id": rows * 7919 % 10_000, "value_as_number": rows * 104_729 % 60_013}
    ).with_columns(measurement_concept_id=pl.lit(RADIUS), measurement_date=pl.lit(NOW.date()))
    largest = dict(measured.group_by("person_id").agg(pl.col("value_as_number").max()).iter_rows())
    for kept in (measured, measured.filter(pl.col("person_id") != 17)):
        kept.write_parquet(tmp_path / "measurement.parquet", row_group_size=5_000)
        latest = dict(Omop(tmp_path).latest([RADIUS]).select("person_id", "value").collect().iter_rows())
        assert latest == {person: largest[person] for person in latest}
        assert len(latest) == kept["person_id"].n_unique()


def test_parts_are_stable_disjoint_and_about_seven_to_three():
    parts = [part_of(PROJECT, person) for person in range(10_000)]

    assert parts == [part_of(PROJECT, person) for person in range(10_000)]
    assert 0.68 < parts.count("train") / len(parts) < 0.72
    assert parts != [part_of("another-project", person) for person in range(10_000)]


def test_a_snapshot_has_features_labels_and_no_identifier(trust, omop):
    trust.opt_in()
    chosen = select(accepted(trust, trust.hub.prepare(trust.hub.job(train_spec()))), omop, trust.config.jobs, NOW)
    features, labels = chosen.snapshot.features, chosen.snapshot.labels
    train = [person for person in sorted(ids(omop)) if part_of(PROJECT, person) == "train"]

    assert features.shape == (len(train), 2)
    assert np.isnan(features[:, 1]).sum() == sum(person % 10 == 0 for person in train)
    assert features[labels == 1, 0].mean() > features[labels == 0, 0].mean() + 3
    assert np.array_equal(chosen.bounds, [[0, 30], [0, 40]])


def test_a_cohort_is_frozen_at_the_first_round(trust, omop):
    trust.opt_in()
    job = trust.hub.job(train_spec())
    first = select(accepted(trust, trust.hub.prepare(job)), omop, trust.config.jobs, NOW)
    omop.table("person").collect().head(10).write_parquet(omop.folder / "person.parquet")
    second = select(accepted(trust, trust.hub.prepare(job)), omop, trust.config.jobs, NOW)
    other = select(accepted(trust, trust.hub.prepare(trust.hub.job(train_spec()))), omop, trust.config.jobs, NOW)

    assert np.array_equal(first.snapshot.features, second.snapshot.features, equal_nan=True)
    assert len(other.snapshot.labels) < 11


def test_several_records_of_a_person_are_drawn_once_and_frozen(trust, omop):
    trust.opt_in()
    job = trust.hub.job(train_spec(max_records_per_person=2))
    first = select(accepted(trust, trust.hub.prepare(job)), omop, trust.config.jobs, NOW).snapshot
    again = select(accepted(trust, trust.hub.prepare(job)), omop, trust.config.jobs, NOW).snapshot
    train = [person for person in ids(omop) if part_of(PROJECT, person) == "train"]

    assert first.count == len(train)
    assert first.rows.max() <= 2
    assert np.array_equal(first.features, again.features, equal_nan=True)
    assert np.array_equal(first.rows, again.rows)


def test_frozen_cohorts_are_their_owners_alone_and_deleted(trust, omop):
    trust.opt_in()
    job = trust.hub.job(train_spec())
    select(accepted(trust, trust.hub.prepare(job)), omop, trust.config.jobs, NOW)
    path = trust.config.jobs / job.job_id / SNAPSHOT_FILE

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    delete(trust.config.jobs, job.job_id)
    assert not path.parent.exists()


def test_nobody_is_a_cohort_too(trust, omop):
    trust.opt_in()
    nobody = Cohort(criteria=(AgeBetween(low=150),))
    chosen = select(
        accepted(trust, trust.hub.prepare(trust.hub.job(train_spec(cohort=nobody)))), omop, trust.config.jobs, NOW
    )
    raw = count(accepted(trust, trust.hub.parts(trust.hub.job(count_spec(cohort=nobody)), "count")), omop, NOW)

    assert chosen.snapshot.features.shape == (0, 2)
    assert raw.tensors["persons"].tolist() == [0]
    assert raw.sensitivity == 1


def test_nothing_else_can_make_a_snapshot(trust, omop):
    trust.opt_in()
    chosen = select(accepted(trust, trust.hub.prepare(trust.hub.job(train_spec()))), omop, trust.config.jobs, NOW)

    with pytest.raises(TypeError):
        CohortSnapshot(chosen.snapshot, chosen.bounds, object())


def test_a_graph_is_kept_by_its_digest(trust):
    keep_graph(trust.config.jobs, "j1", GRAPH)

    assert kept_graph(trust.config.jobs, "j1", digest(GRAPH)) == GRAPH
    assert kept_graph(trust.config.jobs, "j1", digest(b"another")) is None
    assert kept_graph(trust.config.jobs, "j2", digest(GRAPH)) is None


def test_missing_tables_and_columns_are_named(trust, omop):
    pl.DataFrame({"person_id": [1]}).write_parquet(omop.folder / "person.parquet")
    (omop.folder / "concept.parquet").unlink()

    for name in ("person", "concept"):
        with pytest.raises(SetupError):
            omop.table(name)


def test_the_catalogue_has_declared_bounds_and_no_counts(trust, omop):
    (omop.folder / "catalogue.toml").write_text(
        f"[[measurement]]\nconcept_id = {RADIUS}\nunit = 'mm'\nlow = 0\nhigh = 30\n"
    )
    found = {concept.concept_id: concept for concept in omop.catalogue()}

    assert set(found) == {RADIUS, TEXTURE, MALIGNANT, BENIGN, FEMALE}
    assert (found[RADIUS].unit, found[RADIUS].low, found[RADIUS].high) == ("mm", 0, 30)
    assert found[TEXTURE].low is None


@pytest.mark.parametrize("text", ["[[measurement]]\nlow = 0", "not toml", "[[measurement]]\nconcept_id = 1\nlow = 'a'"])
def test_a_broken_catalogue_is_an_error(trust, omop, text):
    (omop.folder / "catalogue.toml").write_text(text)

    with pytest.raises(SetupError):
        omop.catalogue()
