"""What a twin is measured on at a Trust: of images, each person's longest series."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.twins import GRIDS, IMAGING
from flip_trust.cohort.omop import Omop
from flip_trust.errors import SetupError
from flip_trust.imaging.series import IMAGE_SERIES
from flip_trust.twin import longest_series, table_of

PERSONS = pl.DataFrame({"person_id": [1, 2, 3, 4]})


def series(number: int, person: int, **others: object) -> dict[str, object]:
    usual = {"modality": "CT", "frames": 40, "rows": 512, "columns": 512, "spacing_row": 0.7, "gap": 5.0}
    return {"image_occurrence_id": number, "person_id": person, "thickness": 2.0, **usual, **others}


@pytest.fixture
def omop(tmp_path):
    def write(*rows: dict[str, object]) -> Omop:
        pl.DataFrame(rows, schema_overrides=IMAGE_SERIES.schema).write_parquet(tmp_path / "image_series.parquet")
        return Omop(tmp_path)

    return write


def test_a_persons_longest_series_counts_whatever_the_order(omop):
    rows = [
        series(11, 1, frames=40),
        series(12, 1, frames=90, modality="MR", rows=256, spacing_row=None),
        series(13, 1, frames=500, modality="SR"),
        series(21, 2, frames=7, gap=None),
        series(22, 2, frames=7, rows=64),
        series(31, 3, modality=None),
        series(99, 9),
    ]
    for order in (rows, rows[::-1]):
        found = longest_series(omop(*order), PERSONS)
        assert found.modality.tolist() == [IMAGING.index("MR"), IMAGING.index("CT"), -1, -1]
        assert found.geometry["rows"][:2].tolist() == [256, 512]
        assert np.isnan(found.geometry["spacing"][0])
        assert found.geometry["gap"].tolist()[:2] == [5.0, 2.0]
        assert found.geometry["slices"][:2].tolist() == [90, 7]
        assert set(found.geometry) == set(GRIDS)


def test_nobody_is_given_the_series_of_another(omop):
    persons = [person * 37 % 500 for person in range(500)]
    tables = omop(*(series(number, person, rows=person) for number, person in enumerate(persons[::-1]) if person % 3))

    found = longest_series(tables, pl.DataFrame({"person_id": persons}))

    given = np.nan_to_num(found.geometry["rows"], nan=-1).astype(int)
    assert given.tolist() == [person if person % 3 else -1 for person in persons]


def test_a_trust_without_images_has_nobodys(tmp_path):
    found = longest_series(Omop(tmp_path), PERSONS)

    assert found.modality.tolist() == [-1] * 4
    assert all(np.isnan(values).all() for values in found.geometry.values())


def test_a_table_of_another_hand_is_refused(tmp_path):
    pl.DataFrame({"person_id": [1]}).write_parquet(tmp_path / "image_series.parquet")

    with pytest.raises(SetupError):
        longest_series(Omop(tmp_path), PERSONS)


def test_who_opted_out_is_in_no_histogram(omop, tmp_path):
    tables = omop(series(11, 1), series(21, 2))
    day = datetime.date(2025, 1, 1)
    persons = {"person_id": [1, 2, 3], "gender_concept_id": [8532] * 3, "year_of_birth": [1960] * 3}
    pl.DataFrame(persons).write_parquet(tmp_path / "person.parquet")
    measured = {"person_id": [1], "measurement_concept_id": [7], "measurement_date": [day], "value_as_number": [1.0]}
    pl.DataFrame(measured).write_parquet(tmp_path / "measurement.parquet")
    pl.DataFrame({"key": [2]}).write_parquet(tmp_path / "opted_out.parquet")

    found = table_of(tables, (), 2026, images=True).images

    assert found is not None
    assert found.modality.tolist() == [IMAGING.index("CT"), -1]
    assert table_of(tables, (), 2026).images is None
