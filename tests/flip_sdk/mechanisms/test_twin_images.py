"""What a twin tells of images: one series a person, and no more than the noise is made for."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.twins import GRIDS, IMAGING, Twin
from flip_sdk.mechanisms import twins
from flip_sdk.mechanisms.twin_images import Series, geometry_counts
from flip_sdk.mechanisms.twins import Table, columns_of, debits_of_twin, measure
from flip_sdk.simulate.twin_images import scanners_of
from hypothesis import given, settings
from hypothesis import strategies as st

CT, MR = IMAGING.index("CT"), IMAGING.index("MR")
COLUMNS = columns_of(())
anything = st.floats(allow_nan=True, allow_infinity=True)
series_rows = st.lists(
    st.tuples(st.integers(-1, len(IMAGING) + 1), anything, anything, anything, anything, anything),
    min_size=1,
    max_size=8,
)


def series(*rows: tuple[float, ...]) -> Series:
    """Modality, then rows, columns, spacing, slices, gap of each person."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    geometry = {told: table[:, place] for place, told in enumerate(GRIDS, start=1)}
    return Series(table[:, 0].astype(np.int64), geometry)


def people(images: Series | None) -> Table:
    count = 0 if images is None else len(images.modality)
    return Table(COLUMNS, (np.full(count, 50.0),), np.zeros(count, dtype=np.int64), images)


def hospital(count: int = 400) -> Series:
    """Most with a CT of 512 by 512, some with an MR, a tenth with nothing."""
    kinds = np.random.default_rng(0).choice(3, count, p=[0.6, 0.3, 0.1])
    rows = [(CT, 512, 512, 0.7, 60, 5), (MR, 256, 256, 0.95, 24, 4.4), (-1, *[np.nan] * 5)]
    return series(*(rows[kind] for kind in kinds))


@settings(max_examples=60, deadline=None)
@given(series_rows, st.data())
def test_one_person_moves_each_histogram_by_one_whatever_they_have(rows, data):
    gone = data.draw(st.integers(0, len(rows) - 1))
    everybody, others = series(*rows), series(*rows[:gone], *rows[gone + 1 :])
    for told in GRIDS:
        moved = geometry_counts(everybody, told) - geometry_counts(others, told)
        assert np.abs(moved).sum() == 1
        assert geometry_counts(everybody, told).sum() == len(rows)


def test_values_are_told_as_the_nearest_of_the_public_ones():
    found = geometry_counts(series((CT, 500, 512, 0.69, 61, np.nan), (MR, -1, 0, np.inf, 1, 1)), "rows")
    width = len(GRIDS["rows"]) + 1
    assert found[CT * width + GRIDS["rows"].index(512)] == 1
    assert found[MR * width + width - 1] == 1
    gap = geometry_counts(series((CT, 500, 512, 0.69, 61, np.nan)), "gap")
    assert gap[CT * (len(GRIDS["gap"]) + 1) + len(GRIDS["gap"])] == 1
    assert geometry_counts(series((len(IMAGING), 1, 1, 1, 1, 1)), "rows")[-1] == 1


def test_the_noise_of_all_counts_grows_with_the_histograms_and_the_debit_does_not(monkeypatch):
    drawn = []
    honest = twins.add_gaussian
    monkeypatch.setattr(twins, "add_gaussian", lambda exact, scale: drawn.append(scale) or honest(exact, scale))
    measure(people(hospital()), (), 1.0, 1e-5)
    cells = debits_of_twin(1.0, 1e-5)[0].event.noise_multiplier
    assert drawn[0] == pytest.approx(cells * np.sqrt(len(COLUMNS) + 1 + len(GRIDS)))


def test_a_twin_without_images_is_as_it_was():
    assert measure(people(None), (), 1.0, 1e-5).images == ()
    assert [part.told for part in measure(people(hospital()), (), 1.0, 1e-5).images] == list(GRIDS)


def test_a_record_that_does_not_fit_together_is_refused():
    twin = measure(people(hospital()), (), 1.0, 1e-5)
    with pytest.raises(ValueError, match="in this order"):
        Twin.model_validate(twin.model_dump() | {"images": twin.images[:2]})
    with pytest.raises(ValueError, match="a cell for every modality"):
        type(twin.images[0])(told="rows", cells=(1, 2, 3))


def test_geometry_made_up_is_the_trusts():
    twin = Twin.parse(measure(people(hospital()), (), 4.0, 1e-5).canonical())
    random = np.random.default_rng(1)
    ct, mr = (list(scanners_of(twin, modality, 100, random)) for modality in ("CT", "MR"))
    told = {(s.rows, s.columns, s.step, s.slices, s.thickness) for s in ct}
    assert told == {(512, 512, 0.7, 64, 5)}
    assert {(s.rows, s.columns) for s in mr} == {(256, 256)}
    assert {s.slices for s in mr} == {24}


def test_noise_alone_and_no_twin_make_the_usual_geometry():
    random = np.random.default_rng(1)
    twin = measure(people(hospital()), (), 1.0, 1e-5)
    noise = (
        part.model_copy(update={"cells": tuple(random.normal(0, 15, len(part.cells)).round().astype(int).tolist())})
        for part in twin.images
    )
    for nothing in (twin.model_copy(update={"images": tuple(noise)}), None, measure(people(None), (), 1.0, 1e-5)):
        found = list(scanners_of(nothing, "NM", 5, random))
        assert {(s.rows, s.columns, s.slices, s.thickness) for s in found} == {(128, 128, 8, 5.0)}
