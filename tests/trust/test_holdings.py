"""The catalogue's numbers: who is counted, what one person can change, what it costs, and what stays untold."""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.holdings import BODY_PARTS, MODALITIES, TABLES, YEARS
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.mechanisms import holdings as mechanism
from flip_trust import catalogue
from flip_trust.cohort.omop import Omop
from flip_trust.errors import ConsentError, SetupError
from flip_trust.holdings import counts_of, public_of
from flip_trust.ledger import store

from tests.trust.world import BENIGN, MALIGNANT, RADIUS, TEXTURE, write_patients

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TODAY = NOW.date()
GROUPS = ("concepts", "imaging", "years", "tables", "quality")


@pytest.fixture
def omop(tmp_path):
    write_patients(tmp_path / "omop", 60)
    return Omop(tmp_path / "omop")


def write(omop, table, rows, **columns):
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(omop.folder / f"{table}.parquet")


def exact(omop, config, today=TODAY):
    concepts = omop.catalogue()
    public = public_of(config, concepts, today)
    return counts_of(omop, concepts, public, today), public


def with_images(omop):
    """Of person 1001 two CTs of the chest and an MR of nothing known; of 1002 what is in no list; of nobody another."""
    series = [
        (1, 1001, "CT", "CHEST"),
        (2, 1001, "ct ", "Chest"),
        (3, 1001, "MR", "mrs smith's knee"),
        (4, 1002, "HOLOGRAM", "CHEST"),
        (5, 9999, "CT", "CHEST"),
        (6, 1003, None, None),
    ]
    names = {"image_occurrence_id": pl.Int64, "person_id": pl.Int64, "modality": pl.String, "body_part": pl.String}
    write(omop, "image_series", series, **names)
    seen = [(6, 1003, date(2026, 3, 1), "US", "ABDOMEN"), (1, 1001, date(2025, 7, 1), "CT", None)]
    dated = {"image_occurrence_id": pl.Int64, "person_id": pl.Int64, "image_occurrence_date": pl.Date}
    source = {"modality_source_value": pl.String, "anatomic_site_source_value": pl.String}
    write(omop, "image_occurrence", seen, **dated, **source)


def test_persons_are_counted_once_by_concept_year_and_table(omop, trust):
    counts, public = exact(omop, trust.config)
    held = dict(zip(public.concepts, counts.concepts, strict=True))

    assert held[RADIUS] == 60
    assert held[TEXTURE] == 54
    assert held[MALIGNANT] + held[BENIGN] == 60
    measured = counts.years[TABLES.index("measurement")]
    assert dict(zip(public.years, measured, strict=True))[2024] == 60
    assert measured.sum() == 120
    ever, *months = counts.tables[TABLES.index("measurement")]
    assert (ever, sum(months)) == (60, 60)
    assert dict(zip(public.months, months, strict=True))[12 * 2025] == 60
    conditions = counts.tables[TABLES.index("condition_occurrence")]
    assert (conditions[0], conditions[1:].sum()) == (60, 0)  # they have no dates
    assert counts.tables[TABLES.index("drug_exposure")].sum() == 0


def test_images_are_counted_by_codes_of_public_lists_alone(omop, trust):
    with_images(omop)
    counts, _ = exact(omop, trust.config)
    told = {
        (MODALITIES[modality], BODY_PARTS[part - 1] if part else ""): counts.imaging[modality, part]
        for modality, part in np.argwhere(counts.imaging)
    }

    assert told == {("CT", ""): 1, ("CT", "CHEST"): 1, ("MR", ""): 1, ("US", ""): 1, ("US", "ABDOMEN"): 1}
    assert counts.tables[TABLES.index("image_occurrence"), 0] == 2


def test_who_opted_out_is_in_no_number(omop, trust):
    with_images(omop)
    before, _ = exact(omop, trust.config)
    pl.DataFrame({"key": [1001, 1003]}, schema={"key": pl.Int64}).write_parquet(omop.folder / "opted_out.parquet")
    after, _ = exact(omop, trust.config)

    assert after.imaging.sum() == 0
    assert before.concepts.sum() - after.concepts.sum() == pytest.approx(
        2 * 4
    )  # radius, texture, a condition, a gender
    assert after.tables[:, 0].sum() == before.tables[:, 0].sum() - 2 * 2 - 2


def busy(omop, person):
    """A person with a record of everything there is, every year, with whatever can be wrong in them."""
    ids = {name: [900_000 + 1000 * place + i for i in range(400)] for place, name in enumerate(("Drug", "Observation"))}
    concept = pl.read_parquet(omop.folder / "concept.parquet")
    names = pl.concat([pl.DataFrame({"concept_id": own, "domain_id": domain}) for domain, own in ids.items()])
    concept = pl.concat([concept, names.with_columns(concept_name=pl.lit("x")).select(concept.columns)])
    concept.write_parquet(omop.folder / "concept.parquet")
    years = [date(2026 - i % YEARS, 1 + i % 12, 1) for i in range(400)]
    rows = [(person, one, day, 9999.0) for one, day in zip(ids["Drug"], years, strict=True)]
    drugs = {"person_id": pl.Int64, "drug_concept_id": pl.Int64, "drug_exposure_start_date": pl.Date}
    write(omop, "drug_exposure", rows, **drugs, days_supply=pl.Float64)
    rows = [(person, one, day) for one, day in zip(ids["Observation"], years, strict=True)]
    write(omop, "observation", rows, person_id=pl.Int64, observation_concept_id=pl.Int64, observation_date=pl.Date)
    series = [
        (i, person, modality, part) for i, (modality, part) in enumerate(zip(MODALITIES, BODY_PARTS, strict=False))
    ]
    names = {"image_occurrence_id": pl.Int64, "person_id": pl.Int64, "modality": pl.String, "body_part": pl.String}
    write(omop, "image_series", series, **names)


@pytest.mark.parametrize("person", [1001, 5000], ids=["busy", "new and plain"])
def test_one_person_moves_no_group_by_more_than_its_noise_is_made_for(omop, trust, person):
    if person == 1001:
        busy(omop, person)
    else:
        one = pl.DataFrame({"person_id": [5000], "gender_concept_id": [0], "year_of_birth": [1800]})
        everybody = pl.concat([pl.read_parquet(omop.folder / "person.parquet"), one], how="vertical_relaxed")
        everybody.write_parquet(omop.folder / "person.parquet")
    there, public = exact(omop, trust.config)
    persons = pl.read_parquet(omop.folder / "person.parquet")
    persons.filter(pl.col("person_id") != person).write_parquet(omop.folder / "person.parquet")
    gone, _ = exact(omop, trust.config)

    whole = 0.0
    for group, shape in mechanism.shapes(public).items():
        change = np.linalg.norm(getattr(there, group) - getattr(gone, group))
        assert change <= mechanism.sensitivity(group, math.prod(shape)) * (1 + 1e-12), group
        whole += (change / mechanism.deviation(group, math.prod(shape), 1.0, 1e-5)) ** 2
    event = mechanism.debit_of_holdings(1.0, 1e-5).event
    assert whole * event.noise_multiplier**2 <= 1 + 1e-9
    if person == 1001:  # long enough to have been shortened in every group that shortens
        assert whole * event.noise_multiplier**2 > 0.8


def test_they_are_debited_first_published_rounded_and_near_the_truth(trust):
    trust = trust.with_config(max_epsilon_per_job=20.0)
    notice = catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", NOW, None, 20.0)
    told = notice.holdings

    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "holdings"]
    assert trust.ledger()[1]["project_id"] is None
    held = {row.concept_id: row.persons for row in told.concepts}
    assert held[RADIUS] == pytest.approx(400, abs=5 * told.noise.concepts + 5)
    assert all(number % 5 == 0 for number in held.values())
    (measured,) = [row for row in told.tables if row.table == "measurement"]
    assert measured.latest == "2025-01"
    assert {row.year for row in told.years} == {2024, 2025}
    assert {row.table for row in told.tables} == {"measurement", "condition_occurrence"}
    assert told.imaging == ()
    assert catalogue.pending(trust.config, NOW).holdings == told


def test_quality_is_told_by_person_and_with_what_the_noise_makes_of_it(trust):
    measurements = pl.read_parquet(trust.config.omop / "measurement.parquet")
    ahead = pl.when(pl.col("person_id") % 2 == 0).then(date(2030, 1, 1)).otherwise("measurement_date")
    measurements.with_columns(measurement_date=ahead).write_parquet(trust.config.omop / "measurement.parquet")
    trust = trust.with_config(max_epsilon_per_job=90.0)
    told = catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", NOW, None, 90.0).holdings
    found = {(row.table, row.check): row for row in told.quality}

    future = found["measurement", "measurement_date is not in the future"]
    assert future.percent == pytest.approx(50, abs=2 * future.within + 5)
    assert not future.passed
    assert found["measurement", "measurement_date is not before the birth"].passed
    assert found["measurement", "measurement_id is there in each row"].percent > 90
    assert all(row.within <= 5 for row in told.quality)
    assert not [row for row in told.quality if row.table == "drug_exposure"]


def test_a_data_set_under_the_floor_publishes_no_numbers_and_pays(trust):
    strict = trust.with_config(floor=10_000)
    notice = catalogue.compile_notice(strict.config, strict.database, 0.5, "sam", NOW, None, 1.0)

    assert notice.holdings is None
    assert len(strict.ledger()) == 2


def test_few_persons_are_in_no_number(trust):
    """Of 50 runs, not one tells of three persons with a condition, of their year, or of an empty table."""
    rare = 2_000_000_103
    condition = {"person_id": [1001, 1002, 1003], "condition_concept_id": [rare] * 3}
    pl.DataFrame(condition).with_columns(condition_start_date=TODAY).write_parquet(
        trust.config.omop / "condition_occurrence.parquet"
    )
    omop = Omop(trust.config.omop)
    concepts = (CatalogueConcept(concept_id=rare, name="rare", domain="Condition"),)
    public = public_of(trust.config, concepts, TODAY)
    counts = counts_of(omop, concepts, public, TODAY)
    for _ in range(50):
        told = mechanism.measure(counts, public, 400, 5.0, 1e-5)
        assert told.concepts == ()
        assert {row.table for row in told.tables} == {"measurement"}
        assert {row.table for row in told.years} <= {"measurement"}


def test_a_crash_after_the_debit_costs_the_debit_and_no_more(trust, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue, "measure_holdings", killed)
    with pytest.raises(KeyboardInterrupt):
        catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", NOW, None, 1.0)
    spent = store.spent(trust.database, 1e-5)

    assert catalogue.pending(trust.config, NOW) is None
    assert [line["purpose"] for line in trust.ledger()] == ["catalogue", "holdings"]
    monkeypatch.undo()
    assert store.spent(trust.database, 1e-5) == spent


def test_a_table_that_cannot_be_counted_is_named_with_what_to_do(trust):
    bad = {"person_id": ["Mrs Smith"], "drug_concept_id": [1], "drug_exposure_start_date": [TODAY]}
    pl.DataFrame(bad).write_parquet(trust.config.omop / "drug_exposure.parquet")
    with pytest.raises(SetupError) as caught:
        catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", NOW, None, 1.0)

    assert "Smith" not in str(caught.value.message) + str(caught.value.mend)
    assert caught.value.mend


@pytest.mark.parametrize("epsilons", [(11.0, None, None), (0.5, 11.0, None), (0.5, None, 11.0)])
def test_a_slip_of_the_finger_is_not_debited(trust, epsilons):
    first, *more = epsilons
    with pytest.raises(ConsentError):
        catalogue.compile_notice(trust.config, trust.database, first, "sam", NOW, *more)
    assert trust.ledger() == []


def test_a_catalogue_that_no_hub_takes_is_not_debited(trust, monkeypatch):
    monkeypatch.setattr(catalogue, "_MOST_BYTES", 500)
    with pytest.raises(SetupError):
        catalogue.compile_notice(trust.config, trust.database, 0.5, "sam", NOW, None, 1.0)
    assert trust.ledger() == []


def test_publishing_again_and_again_is_stopped_by_the_ledger(trust, monkeypatch):
    """Somebody averages catalogues: the ledger stops them where the average is as sharp as the total allows."""
    capped = trust.with_config(total_epsilon=4.0)
    told = []

    def publish(again):
        at = NOW + timedelta(minutes=again)
        told.append(catalogue.compile_notice(capped.config, capped.database, 0.2, "sam", at, None, 1.0).holdings)

    with pytest.raises(ConsentError):
        deque(map(publish, range(100)), maxlen=0)

    assert 2 < len(told) < 30
    assert store.spent(capped.database, 1e-5) <= 4.0
    public = public_of(capped.config, Omop(capped.config.omop).catalogue(), TODAY)
    averaged = told[0].noise.concepts / math.sqrt(len(told))
    at_once = mechanism.deviation("concepts", len(public.concepts), 4.0, 1e-5)
    assert averaged >= at_once * 0.99
    monkeypatch.setattr(catalogue, "counts_of", lambda *_: pytest.fail("counted without a debit"))
    for _ in range(3):
        with pytest.raises(ConsentError):
            catalogue.compile_notice(capped.config, capped.database, 0.2, "sam", NOW, None, 1.0)
