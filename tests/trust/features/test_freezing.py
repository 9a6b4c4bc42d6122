"""Frozen cohorts: who is in them, around which day, and that nobody else's records are."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract import check_circe
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.features import (
    AgeFeature,
    ClassLabel,
    EventFeature,
    Feature,
    Label,
    LabelClass,
    SexFeature,
    Window,
)
from flip_sdk.contract.images import SeriesImages
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_trust.cohort.criteria import check_concepts
from flip_trust.cohort.members import latest_values, members
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.split import belongs, part_of
from flip_trust.engine.records import IMAGES_FILE, EngineError
from flip_trust.errors import RefusedError
from flip_trust.features.freezing import freeze

from tests.trust.cohort.circe.small import cohort, concept_set, condition, people, person
from tests.trust.cohort.circe.small import write as write_small
from tests.trust.features.world import FEMALE, ILL, LAB, NOW, WORSE, inside, measured, records, write
from tests.trust.world import PROJECT, evaluate_spec, train_spec

ALL = {
    "part": "all",
    "features": (Feature(concept_id=LAB, low=0, high=10),),
    "label": Label(condition_concept_ids=(ILL,)),
}
CLASSES = ClassLabel(among=(LabelClass(condition_concept_ids=(WORSE,)), LabelClass(condition_concept_ids=(ILL,))))
IMAGES = SeriesImages(modality="CT", size=(2, 3))


@pytest.fixture
def omop(tmp_path) -> Omop:
    return write(tmp_path / "home")


def ids(omop) -> list[int]:
    return omop.persons().select("person_id").sort("person_id").collect()["person_id"].to_list()


def pictures(days_of):
    """An ``image_rows`` of persons with images on these days; an image's numbers are its person's place."""

    def image_rows(asked, persons, home, most, target):
        rows = [(who, day) for who in persons["person_id"] for day in days_of.get(who, [])[:most]]
        places = {who: place for place, who in enumerate(sorted(days_of))}
        np.array([[places[who]] * asked.values for who, _ in rows], dtype=np.float16).tofile(target)
        return pl.DataFrame(rows, schema={"person_id": pl.Int64, "day": pl.Date}, orient="row")

    return image_rows


def test_latest_values_and_conditions_are_what_they_always_were(omop, tmp_path):
    spec = train_spec(**ALL | {"part": "train"})
    snapshot = freeze(spec, omop, NOW, tmp_path)
    chosen = members(spec.cohort, "train", PROJECT, omop, NOW)
    ill = omop.with_condition((ILL,)).collect()["person_id"].to_list()
    labels = np.array([int(who in ill) for who in chosen["person_id"]], dtype=np.int64)

    assert snapshot.to_bytes() == Snapshot(latest_values(chosen, omop, [LAB]), labels).to_bytes()


def test_the_parts_divide_everybody_and_nobody_moves_out_of_test():
    for who in range(5000):
        inside_ = {part for part in ("fit", "validation", "test", "train") if belongs(part, PROJECT, who)}
        assert inside_ in ({"fit", "train"}, {"validation", "train"}, {"test"})
        assert part_of(PROJECT, who) in inside_
    shares = [sum(belongs(part, PROJECT, who) for who in range(5000)) / 5000 for part in ("fit", "validation", "test")]
    assert shares == pytest.approx([0.6, 0.1, 0.3], abs=0.03)


def test_of_several_conditions_the_first_of_the_classes_holds(omop, tmp_path):
    window = Window(start=-700, end=0)
    label = CLASSES.model_copy(update={"window": window})
    found = freeze(train_spec(**ALL | {"label": label}), omop, NOW, tmp_path).labels

    def had(concept, who):
        return any(inside(day, NOW.date(), window) for day in records(omop, "condition", (concept,), who))

    assert found.tolist() == [1 if had(WORSE, who) else 2 if had(ILL, who) else 0 for who in ids(omop)]
    assert set(found.tolist()) <= set(range(label.classes))


def test_who_opted_out_is_not_there_and_neither_are_their_records(omop, tmp_path):
    everybody = freeze(train_spec(**ALL), omop, NOW, tmp_path)
    gone = ids(omop)[5]
    pl.DataFrame({"key": [gone]}, schema={"key": pl.Int64}).write_parquet(omop.folder / "opted_out.parquet")
    spec = train_spec(**ALL | {"images": IMAGES, "index": "image"})
    asked = []

    def image_rows(_, persons, home, most, target):
        asked.extend(persons["person_id"])
        return pictures({who: [NOW.date()] for who in asked})(IMAGES, persons, home, most, target)

    shown = freeze(spec, omop, NOW, tmp_path, image_rows)
    left = freeze(train_spec(**ALL), omop, NOW, tmp_path)

    assert gone not in asked
    assert shown.count == left.count == everybody.count - 1
    assert np.array_equal(left.features, np.delete(everybody.features, 5, axis=0), equal_nan=True)


def test_one_more_person_changes_no_row_of_another(omop, tmp_path):
    features = (
        Feature(concept_id=LAB, low=0, high=9, statistic="mean", window=Window(start=None, end=None)),
        EventFeature(domain="drug", concept_ids=(21,), statistic="days", most=50),
        AgeFeature(),
        SexFeature(concept_id=FEMALE),
    )
    spec = train_spec(**ALL | {"features": features, "label": CLASSES})
    before = freeze(spec, omop, NOW, tmp_path)
    table = omop.table("person").collect()
    without = table.filter(pl.col("person_id") != ids(omop)[7])
    without.write_parquet(omop.folder / "person.parquet")
    after = freeze(spec, omop, NOW, tmp_path)

    assert np.array_equal(after.features, np.delete(before.features, 7, axis=0), equal_nan=True)
    assert np.array_equal(after.labels, np.delete(before.labels, 7))


def test_the_index_is_the_first_entry_and_windows_are_around_it(tmp_path):
    world = people(person(1), person(2), person(3))
    dates = {1: ["2020-01-01", "2021-01-01"], 2: ["2022-05-05"]}
    world["condition_occurrence"] = [condition(who, 12, day) for who, days in dates.items() for day in days]
    write_small(world, tmp_path)
    labs = [
        (1, date(2019, 12, 31), 3.0),
        (1, date(2020, 6, 1), 9.0),
        (2, date(2022, 5, 5), 4.0),
        (3, date(2020, 1, 1), 8.0),
    ]
    pl.DataFrame(labs, schema=["person_id", "measurement_date", "value_as_number"], orient="row").with_columns(
        measurement_concept_id=pl.lit(LAB)
    ).write_parquet(tmp_path / "omop" / "measurement.parquet")
    expression = check_circe.read(cohort({"ConditionOccurrence": {"CodesetId": 0}}, sets=[concept_set(0, 12)]))
    spec = train_spec(
        part="all",
        cohort=Cohort(expression=expression),
        index="entry",
        features=(Feature(concept_id=LAB, low=0, high=10, window=Window(start=-365, end=0)),),
        label=Label(condition_concept_ids=(12,), window=Window(start=1, end=400)),
    )
    found = freeze(spec, Omop(tmp_path / "omop"), NOW, tmp_path)

    assert found.features.tolist() == [[3.0], [4.0]]
    assert found.labels.tolist() == [1, 0]


def test_images_are_rows_with_index_dates_of_their_own(omop, tmp_path):
    who = ids(omop)
    days = {who[3]: [date(2026, 1, 1), date(2025, 1, 1)], who[0]: [date(2024, 1, 1)]}
    counted = Feature(concept_id=LAB, low=0, high=10, statistic="count", window=Window(start=-400, end=0))
    spec = train_spec(**ALL | {"features": (counted,), "images": IMAGES, "index": "image", "max_records_per_person": 2})
    found = freeze(spec, omop, NOW, tmp_path, pictures(days))

    assert found.persons.tolist() == [0, 1, 1]
    assert found.images[:, 0].tolist() == [0, 1, 1]
    rows = [(who[0], days[who[0]][0]), *((who[3], day) for day in days[who[3]])]
    assert found.features[:, 0].tolist() == [measured(omop, counted, *row) for row in rows]
    again = Snapshot.from_bytes(found.to_bytes(), tmp_path / IMAGES_FILE)
    assert np.array_equal(again.images, found.images)
    assert (tmp_path / IMAGES_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "told",
    [
        [(1007, NOW.date()), (1000, NOW.date())],
        [(1000, NOW.date()), (1007, NOW.date()), (1000, NOW.date())],
        [(5, NOW.date())],
        [(1000, NOW.date())] * 20,
    ],
    ids=["another order", "apart", "a stranger", "too many"],
)
def test_rows_that_are_not_the_cohorts_are_not_believed(omop, tmp_path, told):
    def image_rows(asked, persons, home, most, target):
        np.zeros((len(told), asked.values), np.float16).tofile(target)
        return pl.DataFrame(told, schema=["person_id", "day"], orient="row")

    with pytest.raises(EngineError):
        freeze(evaluate_spec(**ALL | {"images": IMAGES}), omop, NOW, tmp_path, image_rows)


def test_a_row_for_each_date_takes_other_features_of_the_person(omop, tmp_path):
    age = AgeFeature(low=0, high=100)
    spec = train_spec(**ALL | {"features": (age, *ALL["features"]), "max_records_per_person": 3})
    found = freeze(spec, omop, NOW, tmp_path)
    once = freeze(train_spec(**ALL | {"features": (age,)}), omop, NOW, tmp_path)

    assert found.rows.max() == 3
    assert np.array_equal(found.features[:, 0], once.features[found.persons, 0], equal_nan=True)
    assert np.array_equal(found.labels, once.labels[found.persons])


def test_every_domain_is_looked_up_and_a_missing_table_or_date_is_refused(omop):
    drug = EventFeature(domain="drug", concept_ids=(21,), window=Window())
    check_concepts(train_spec(**ALL | {"features": (drug,), "label": CLASSES}), omop)
    for changes in (
        {"features": (drug.model_copy(update={"domain": "visit"}),)},
        {"features": (drug.model_copy(update={"concept_ids": (21, 22)}),)},
        {"label": ClassLabel(among=(*CLASSES.among, LabelClass(condition_concept_ids=(21,))))},
    ):
        refused(train_spec(**ALL | changes), omop)
    table = pl.read_parquet(omop.folder / "drug_exposure.parquet").drop("drug_exposure_start_date")
    table.write_parquet(omop.folder / "drug_exposure.parquet")
    refused(train_spec(**ALL | {"features": (drug,)}), omop)
    check_concepts(train_spec(**ALL | {"features": (drug.model_copy(update={"window": None}),)}), omop)
    (omop.folder / "drug_exposure.parquet").unlink()
    refused(train_spec(**ALL | {"features": (drug.model_copy(update={"window": None}),)}), omop)


def refused(spec, omop):
    with pytest.raises(RefusedError) as caught:
        check_concepts(spec, omop)
    assert caught.value.refusal is RefusalCode.UNKNOWN_CONCEPT


def test_as_many_rows_and_values_as_a_job_may_ask_for(omop, tmp_path):
    days = {who: [NOW.date() - timedelta(days=n) for n in range(200)] for who in ids(omop)}
    spec = train_spec(**ALL | {"images": IMAGES, "max_records_per_person": 100, "index": "image"})
    found = freeze(spec, omop, NOW, tmp_path, pictures(days))

    assert found.rows.tolist() == [100] * len(days)
    assert freeze(evaluate_spec(**ALL | {"images": IMAGES}), omop, NOW, tmp_path, pictures(days)).rows.max() == 16
