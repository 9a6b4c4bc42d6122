from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from flip_sdk.catalogue import Catalogue
from flip_sdk.contract.api import TrustCatalogue
from flip_sdk.contract.cohorts import HasCondition
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.holdings import Holdings, HoldingsNoise, ImagingHolding, QualityHolding
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.testing import FakeHub
from flip_sdk.testing.patients import MALIGNANT

import flip_sdk as flip

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def published(trust: str, *concepts: CatalogueConcept) -> TrustCatalogue:
    return TrustCatalogue(trust=trust, title=trust.title(), persons=100, concepts=concepts, issued_at=NOW)


def with_holdings(trust: str, **parts: Any) -> TrustCatalogue:
    noise = HoldingsNoise(concepts=4, imaging=9, years=9, tables=8)
    held = Holdings(noise=noise, floor=10, rounding=5, epsilon=1, delta=1e-5, **parts)
    return published(trust).model_copy(update={"holdings": held})


def measurement(concept_id: int, name: str, low: float | None = 0, high: float | None = 1) -> CatalogueConcept:
    return CatalogueConcept(concept_id=concept_id, name=name, domain="Measurement", low=low, high=high)


def test_the_frame_has_a_row_a_concept(project: flip.Project) -> None:
    frame = project.catalogue().concepts
    assert isinstance(frame.polars(), pl.DataFrame)
    assert frame.columns == ["concept_id", "name", "domain", "unit", "low", "high", "trusts"]
    assert frame.filter(pl.col("name") == "mean radius")["trusts"].to_list() == [
        ["aldgate", "brookfield", "carrick", "dunmore"]
    ]


def test_measurements_and_conditions(project: flip.Project) -> None:
    catalogue = project.catalogue()
    assert set(catalogue.measurements()["domain"]) == {"Measurement"}
    assert set(catalogue.conditions()["name"]) == {"malignant", "benign"}
    assert len(list(catalogue)) == len(catalogue.concepts)


def test_the_trusts_say_how_many_persons_they_hold(project: flip.Project) -> None:
    assert project.catalogue().trusts["persons"].to_list() == [220, 150, 110, 90]


def test_features_by_name_keep_their_order_and_public_bounds(project: flip.Project) -> None:
    first, second = project.catalogue().features("worst radius", "Mean Radius")
    assert (first.name, second.name) == ("worst radius", "mean radius")
    assert (second.low, second.high) == (5, 30)


def test_features_without_names_are_those_that_every_trust_holds_with_bounds() -> None:
    both, one, boundless = measurement(1, "both"), measurement(2, "one"), measurement(3, "boundless", None, None)
    catalogue = Catalogue([published("a", both, one, boundless), published("b", both, boundless)])
    assert catalogue.features() == [Feature(concept_id=1, low=0, high=1, name="both")]


def test_where_trusts_differ_the_widest_bounds_hold() -> None:
    catalogue = Catalogue([published("a", measurement(1, "x", 0, 5)), published("b", measurement(1, "x", -1, 4))])
    assert catalogue.feature("x") == Feature(concept_id=1, low=-1, high=5, name="x")


def test_bounds_can_be_given(project: flip.Project) -> None:
    assert project.catalogue().feature("mean radius", low=6, high=20).low == 6


def test_a_measurement_without_bounds_asks_for_them() -> None:
    catalogue = Catalogue([published("a", measurement(1, "x", None, None))])
    with pytest.raises(flip.NotFoundError) as caught:
        catalogue.feature("x")
    assert caught.value.mend
    assert catalogue.feature("x", 0, 1).high == 1


def test_a_condition_is_a_label_or_a_criterion(project: flip.Project) -> None:
    malignant = project.catalogue().condition("malignant")
    assert malignant.label() == Label(condition_concept_ids=(MALIGNANT,), name="malignant")
    assert malignant.present() == HasCondition(concept_ids=(MALIGNANT,))
    assert malignant.absent().negate


def test_search(project: flip.Project) -> None:
    assert set(project.catalogue().find("RADIUS")["name"]) == {"mean radius", "worst radius"}
    assert "malignant" in project.catalogue().find("malignent")["name"].to_list()
    assert project.catalogue().find("zzz").is_empty()


@pytest.mark.parametrize(
    ("asked", "meant"), [("mean radios", "mean radius"), ("RADIUS", "mean radius"), ("malignent", "malignant")]
)
def test_an_unknown_name_suggests_the_nearest(project: flip.Project, asked: str, meant: str) -> None:
    with pytest.raises(flip.NotFoundError) as caught:
        project.catalogue().concept(asked)
    assert meant in caught.value.mend


def test_a_measurement_is_no_condition(project: flip.Project) -> None:
    with pytest.raises(flip.NotFoundError):
        project.catalogue().condition("mean radius")


def test_an_empty_catalogue_says_why() -> None:
    with pytest.raises(flip.NotFoundError) as caught:
        Catalogue([]).label("malignant")
    assert caught.value.mend


def test_what_trusts_write_is_escaped_in_the_notebook() -> None:
    catalogue = Catalogue([published("a", measurement(1, "<img src=x onerror=alert(1)>"))])
    assert "<img" not in catalogue._repr_html_()


@pytest.fixture
def told(fake_hub: FakeHub, hub: flip.Hub) -> Catalogue:
    """Two of four Trusts publish numbers of persons."""
    for name in ("aldgate", "brookfield"):
        fake_hub.trusts[name].publish_holdings(8.0, NOW)
    return hub.project("breast-cytology").catalogue()


def test_without_numbers_there_are_no_columns_of_persons(project: flip.Project) -> None:
    catalogue = project.catalogue()
    assert catalogue.concept("malignant").persons is None
    for table in (catalogue.imaging(), catalogue.years(), catalogue.freshness(), catalogue.quality()):
        assert table.is_empty()
        assert "Not published by aldgate, brookfield, carrick, dunmore" in table.caption


def test_concepts_have_persons_of_each_trust_that_tells(told: Catalogue) -> None:
    frame = told.concepts
    assert frame.columns[-3:] == ["persons", "persons_aldgate", "persons_brookfield"]
    radius = frame.row(by_predicate=pl.col("name") == "mean radius", named=True)
    assert radius["persons_aldgate"] == pytest.approx(220, abs=60)
    assert radius["persons"] == radius["persons_aldgate"] + radius["persons_brookfield"]
    assert told.concept("mean radius").persons == radius["persons"]
    assert told.find("radius").columns == frame.columns
    assert "Not published by carrick, dunmore" in frame.caption


def test_freshness_years_and_quality_by_trust(told: Catalogue) -> None:
    fresh = told.freshness()
    assert set(fresh["trust"]) == {"aldgate", "brookfield"}
    assert set(fresh["records"]) == {"conditions", "measurements"}
    assert all(month is None or "2024-" <= month <= "2026-01" for month in fresh["latest"])
    assert told.years().columns[:3] == ["records", "year", "persons"]
    assert told.imaging().columns == ["modality", "body_part", "persons", "persons_aldgate", "persons_brookfield"]
    assert told.quality().columns == ["trust", "category", "checks", "passed"]


def test_images_by_modality_and_body_part() -> None:
    images = (
        ImagingHolding(modality="CT", persons=900),
        ImagingHolding(modality="CT", body_part="CHEST", persons=600),
        ImagingHolding(modality="MR", persons=50),
    )
    catalogue = Catalogue([with_holdings("a", imaging=images), with_holdings("b", imaging=images[:1]), published("c")])
    assert catalogue.imaging().select("modality", "body_part", "persons", "persons_b").rows() == [
        ("CT", "any", 1800, 900),
        ("CT", "CHEST", 600, None),
        ("MR", "any", 50, None),
    ]


def test_quality_counts_checks_and_tells_each() -> None:
    rows = [("plausibility", 0.4), ("plausibility", 7.0), ("completeness", 0.0)]
    quality = tuple(
        QualityHolding(category=kind, table="measurement", check="x", percent=percent, within=0.5, allowed=1)
        for kind, percent in rows
    )
    catalogue = Catalogue([with_holdings("a", quality=quality), with_holdings("b")])
    assert catalogue.quality().rows() == [("a", "completeness", 1, 1), ("a", "plausibility", 2, 1)]
    assert "too noisy to tell at b" in catalogue.quality().caption
    assert catalogue.checks()["passed"].to_list() == [True, False, True]


def test_the_notebooks_page_has_bars_and_every_part(told: Catalogue) -> None:
    html = told._repr_html_()
    for words in ("How fresh", "Persons with images", "Checks of the records", "mean radius", "linear-gradient"):
        assert words in html


def test_a_long_catalogue_says_how_to_see_the_rest() -> None:
    catalogue = Catalogue([published("a", *(measurement(i, f"m{i}") for i in range(150)))])
    assert "and 50 more" in catalogue._repr_html_()
    assert len(catalogue.concepts) == 150


def test_what_a_pretend_trust_publishes_costs_its_data_set_and_no_project(fake_hub: FakeHub) -> None:
    fake_hub.trusts["aldgate"].publish_holdings(1.0, NOW)
    line = fake_hub.trusts["aldgate"].budget(NOW, NOW)
    assert line.spent == 0
    assert line.total is not None
    assert line.total.spent == pytest.approx(1.0, rel=1e-3)
