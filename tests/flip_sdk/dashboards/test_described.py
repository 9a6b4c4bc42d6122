from __future__ import annotations

from flip_sdk.dashboards import Parts, Picture, Results, description
from flip_sdk.frames import Frame

from tests.flip_sdk.dashboards.made import CROSSED, DESCRIBED, EVERYTHING, HISTOGRAM, MEAN, counted


def parts(*results: object) -> list[object]:
    shown = description(Results(list(results)))  # type: ignore[arg-type]
    assert isinstance(shown, Parts)
    return list(shown.parts)


def test_groups_are_drawn_one_picture_each_and_small_ones_are_kept_back() -> None:
    ages, sexes = parts(DESCRIBED)
    assert isinstance(ages, Picture)
    assert isinstance(sexes, Picture)
    assert ages.alt == (
        "Persons by age: under 50 about 120 give or take 8; 50 and over about 190 give or take 8."
    )  # fmt: skip
    assert "male kept back" in sexes.alt
    assert sexes.caption.endswith("Kept back, too few: male.")


def test_a_histogram_and_a_cross_table_are_drawn_without_their_totals() -> None:
    values, crossed = parts(HISTOGRAM, CROSSED)
    assert isinstance(values, Picture)
    assert isinstance(crossed, Picture)
    assert values.alt.startswith("Persons by mean radius: 0 to 0.5 about 150")
    assert "not measured kept back" in values.alt
    assert "total" not in values.alt
    assert "female, under 50 about 80" in crossed.alt


def test_other_answers_are_tables_with_whom_they_are_about() -> None:
    table, whom = parts(MEAN)
    assert isinstance(table, Frame)
    assert repr(whom) == "Of whom: Everybody."


def test_what_is_missing_is_said() -> None:
    assert "No statistics" in repr(description(Results([counted("c1", {})])))
    (words,) = parts(MEAN.model_copy(update={"spec": None}))
    assert "was not kept" in repr(words)
    assert "<script" not in description(EVERYTHING)._repr_html_()
