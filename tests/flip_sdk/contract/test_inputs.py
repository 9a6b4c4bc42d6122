from __future__ import annotations

from typing import Any

import pytest
from flip_sdk.contract.check import check
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
from flip_sdk.contract.images import (
    Flip,
    Orientation,
    Resize,
    Rotate90,
    ScaleIntensityRange,
    SeriesImages,
    Slices,
    Spacing,
    Stack,
    TileImages,
    Volume,
)
from flip_sdk.contract.inputs import MOST_SCORED, records_of, released_scores, width_of
from flip_sdk.contract.jobs import DPSGD, EvaluateSpec, ModelRef, Privacy, SufficientStatistics, TrainSpec, parse_spec
from flip_sdk.contract.records import digest
from flip_sdk.errors import RecordError
from pydantic import ValidationError

CT = SeriesImages(modality="CT", transforms=(ScaleIntensityRange(a_min=-1000, a_max=400),), size=(32, 32))
CLASSES = ClassLabel(
    among=(LabelClass(condition_concept_ids=(1,), name="a"), LabelClass(condition_concept_ids=(2, 3), name="b"))
)
HUGE = (Resize(spatial_size=(4096, 4096, 4096)),)
AGE = AgeFeature()
SHOWN = Privacy(scaling="public_bounds", mechanism=DPSGD())


def train(**changes: Any) -> TrainSpec:
    fields = {
        "project_id": "p",
        "label": Label(condition_concept_ids=(9,)),
        "model": ModelRef(graph=digest(b"g"), weights=digest(b"w")),
        "images": CT,
        "privacy": SHOWN,
    }
    return TrainSpec(**{**fields, **changes})


def rules(spec: TrainSpec | EvaluateSpec) -> set[str]:
    return {violation.rule for violation in check(spec)}


def evaluate(**changes: Any) -> EvaluateSpec:
    fields = train(**changes).model_dump(exclude={"kind", "loss", "privacy", "rounds", "min_trusts", "part"})
    return EvaluateSpec(**{key: value for key, value in fields.items() if key in EvaluateSpec.model_fields})


@pytest.mark.parametrize(
    "spec",
    [
        train(),
        train(features=(AGE, SexFeature(concept_id=8507), Feature(concept_id=1, low=0, high=1))),
        train(label=CLASSES, loss="cross_entropy"),
        train(images=TileImages(tile=64)),
        train(images=CT.model_copy(update={"form": Volume(), "size": (16, 32, 32), "transforms": (Orientation(),)})),
        train(images=CT.model_copy(update={"form": Stack(slices=5)}), index="image"),
    ],
)
def test_good_jobs_break_no_rule_and_are_read_back(spec: TrainSpec) -> None:
    assert check(spec) == []
    assert parse_spec(spec.canonical()) == spec


BAD = [
    ("no_inputs", train(images=None)),
    ("index_needs_entry", train(index="entry")),
    ("index_needs_images", train(images=None, features=(AGE,), index="image")),
    ("window_of_images", train(index="image", images=CT.model_copy(update={"which": "nearest"}))),
    ("window_of_images", train(index="image", images=CT.model_copy(update={"window": Window()}))),
    ("images_too_large", train(images=CT.model_copy(update={"size": (4096, 4096)}))),
    ("image_dimensions", train(images=CT.model_copy(update={"size": (8, 8, 8)}))),
    ("empty_bounds", train(images=CT.model_copy(update={"low": 1.0}))),
    ("transform_dimensions", train(images=CT.model_copy(update={"transforms": (Spacing(pixdim=(1, 1, 1)),)}))),
    ("transform_dimensions", train(images=CT.model_copy(update={"transforms": (Flip(spatial_axis=2),)}))),
    ("transform_dimensions", train(images=CT.model_copy(update={"transforms": (Rotate90(spatial_axes=(0, 2)),)}))),
    ("transform_dimensions", train(images=CT.model_copy(update={"transforms": (Orientation(),)}))),
    (
        "transform_too_large",
        train(images=CT.model_copy(update={"form": Volume(), "size": (8, 8, 8), "transforms": HUGE})),
    ),
    ("scaling_needs_features", train(privacy=Privacy(mechanism=DPSGD()))),
    ("loss_of_classes", train(label=CLASSES)),
    ("repeated_feature", train(features=(AGE, AGE))),
]


@pytest.mark.parametrize(("rule", "spec"), BAD)
def test_each_rule_is_found_and_says_what_to_do(rule: str, spec: TrainSpec) -> None:
    assert rules(spec) == {rule}
    assert all(violation.message and violation.mend and violation.where for violation in check(spec))


def test_sufficient_statistics_are_of_features() -> None:
    privacy = Privacy(scaling="public_bounds", mechanism=SufficientStatistics())
    assert rules(train(features=(AGE,), rounds=1, privacy=privacy)) == {"mechanism_needs_features"}


def test_the_same_concept_may_be_told_in_several_ways() -> None:
    one = Feature(concept_id=1, low=0, high=1)
    others = (
        one.model_copy(update={"statistic": "mean"}),
        one.model_copy(update={"window": Window(start=-365)}),
        EventFeature(domain="drug", concept_ids=(1,)),
        EventFeature(domain="condition", concept_ids=(1,), statistic="days", most=5),
    )
    assert check(train(features=(one, *others))) == []


@pytest.mark.parametrize(
    "images",
    [
        {"modality": "ct", "size": (8, 8)},
        {"modality": "CT", "size": (8,)},
        {"modality": "CT", "size": (8, 8), "transforms": ({"name": "Lambda", "func": "x"},)},
        {"modality": "CT", "size": (8, 8), "transforms": ({"name": "Spacing", "pixdim": (0.0, 1.0)},)},
        {"modality": "CT", "size": (8, 8), "transforms": ({"name": "Rotate90", "spatial_axes": (1, 1)},)},
        {"modality": "CT", "size": (8, 8), "form": {"kind": "2.5d", "slices": 4}},
        {"kind": "tiles", "tile": 100_000},
    ],
)
def test_what_is_not_on_the_list_is_refused(images: dict[str, Any]) -> None:
    content = train().model_dump(mode="json") | {"images": {"kind": "series", **images}}
    with pytest.raises(RecordError):
        TrainSpec.parse(content)


def test_a_job_written_before_there_were_kinds_has_the_same_digest() -> None:
    spec = train(images=None, features=(Feature(concept_id=1, low=0, high=1, name="x"),), privacy=Privacy())
    now = spec.model_dump(mode="json")
    assert set(now["features"][0]) == {"concept_id", "high", "low", "name"}
    assert set(now["label"]) == {"condition_concept_ids", "name"}
    assert not {"images", "index"} & set(now)
    assert parse_spec(spec.canonical()).digest() == spec.digest()


def test_how_wide_a_row_is_and_what_is_counted() -> None:
    spec = train(features=(AGE, SexFeature(concept_id=1)))
    assert width_of(spec) == 2 + 32 * 32
    assert CT.model_copy(update={"form": Stack(slices=5), "size": (8, 9)}).shape == (5, 8, 9)
    assert CT.model_copy(update={"form": Slices(take="spread", count=4)}).shape == (1, 32, 32)
    assert TileImages(tile=16).values == 3 * 16 * 16
    assert TileImages(tile=16, colour=False).shape == (1, 16, 16)
    assert records_of(spec) == 1
    assert records_of(evaluate()) == MOST_SCORED
    assert released_scores(evaluate()) == ("histogram", (2, 10))
    assert released_scores(evaluate(label=CLASSES, loss="cross_entropy")) == ("confusion", (3, 3))
    assert CLASSES.class_names == ("none of them", "a", "b")
    assert CLASSES.condition_concept_ids == (1, 2, 3)


def test_a_window_goes_forwards() -> None:
    with pytest.raises(ValidationError):
        Window(start=1, end=0)
