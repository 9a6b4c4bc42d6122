"""What a model is told, shown and tells, in a researcher's words, on made-up patients of a played hub."""

from __future__ import annotations

import pytest
import torch
from flip_sdk.contract.features import AgeFeature, ClassLabel, EventFeature, Label, SexFeature, Window
from flip_sdk.errors import NotFoundError, PublicError, SpecError
from flip_sdk.simulate.phantoms import Scanner
from flip_sdk.simulate.twin_images import MadeUpSeries
from flip_sdk.testing.patients import BENIGN, FEMALE, MALIGNANT, synthetic_patients
from torch import nn

import flip_sdk as flip
from flip_sdk import simulate

RADIUS = "mean radius"


def spec_of(project: flip.Project, **asked):
    """What is sent."""
    names = {"features": (RADIUS,), "label": "malignant"} | asked
    return project.train(nn.Linear(len(names["features"]), names.pop("outputs", 1)), **names)._spec


class TestWords:
    def test_features_are_said_as_they_are_meant(self, project):
        words = (
            flip.measurement(RADIUS, low=0, high=30).mean(days=(-365, 0)),
            flip.measurement("mean texture"),
            flip.measurement("mean texture").count(days=(None, -1), most=5),
            flip.age(18, 95),
            flip.sex("female"),
            flip.had("benign", days=(-3650, 0)),
            flip.days_with(flip.condition(BENIGN), most=3),
        )
        radius, texture, count, *others = spec_of(project, features=words).features
        year = Window(start=-365, end=0)

        assert (radius.statistic, radius.window, radius.low, radius.high) == ("mean", year, 0, 30)
        assert (texture.statistic, texture.window, texture.low, texture.high) == ("latest", None, 5, 40)
        assert (count.statistic, count.window, count.high) == ("count", Window(start=None, end=-1), 5)
        assert [type(one) for one in others] == [AgeFeature, SexFeature, EventFeature, EventFeature]
        assert others[1].concept_id == FEMALE
        assert others[2].concept_ids == (BENIGN,)
        assert (others[3].statistic, others[3].most) == ("days", 3)
        assert all(one.name for one in (radius, texture, count, *others))

    def test_labels_too(self, project):
        label = spec_of(project, label=flip.label("malignant", days=(1, 365))).label
        assert label == Label(condition_concept_ids=(MALIGNANT,), name="malignant", window=Window(start=1, end=365))
        spec = spec_of(project, label=flip.classes(bad="malignant", good=["benign"], otherwise="well"), outputs=3)
        assert isinstance(spec.label, ClassLabel)
        assert spec.label.class_names == ("well", "bad", "good")
        assert spec.loss == "cross_entropy"

    def test_mistakes_are_told_with_what_to_do(self, project):
        for features, error in (
            ([flip.had("benign", FEMALE)], NotFoundError),
            ([flip.had("beningn")], NotFoundError),
            ([flip.had(flip.death())], PublicError),
            ([flip.sex("malignant")], NotFoundError),
            ([flip.measurement("malignant").mean()], NotFoundError),
        ):
            with pytest.raises(error):
                spec_of(project, features=features)
        with pytest.raises(PublicError):
            flip.measurement(RADIUS, "mean texture").mean()
        with pytest.raises(SpecError):
            spec_of(project, features=[flip.age()], index="entry")


def test_ages_sexes_conditions_and_classes_are_trained_on_and_scored(project):
    features = [flip.measurement(RADIUS), flip.age(20, 95), flip.sex("female"), flip.had("benign")]
    label = flip.classes(bad="malignant", good="benign", otherwise="well")
    privacy = flip.Privacy(epsilon=7.0)
    job = project.train(nn.Linear(4, 3), features=features, label=label, privacy=privacy, rounds=15)
    model = job.result().model()
    assert model.probabilities(torch.tensor([[20.0, 60, 1, 0]])).shape == (1, 3)

    result = project.evaluate(job, epsilon=2.0).result()
    figures, classes = result.figures(), result.classes()
    assert "balanced_accuracy" in figures.columns
    assert "auc" not in figures.columns
    assert classes["class"].unique(maintain_order=True).to_list() == ["well", "bad", "good"]
    everyone = figures.filter(figures["trust"] == "all")
    assert everyone["accuracy"][0] > everyone["majority"][0]
    with pytest.raises(NotFoundError):
        result.calibration()


def test_windows_cannot_be_played_and_that_is_refused(project):
    job = project.train(nn.Linear(1, 1), features=[flip.measurement(RADIUS).mean(days=(-365, 0))], label="malignant")
    with pytest.raises(flip.JobFailedError):
        job.result()


def test_validation_is_kept_apart_or_refused(project):
    seen = project.train(nn.Linear(1, 1), features=[RADIUS], label="malignant", rounds=2)
    with pytest.raises(SpecError):
        project.evaluate(seen, part="validation")
    apart = project.train(nn.Linear(1, 1), features=[RADIUS], label="malignant", rounds=2, part="fit")
    assert project.evaluate(apart, part="validation", epsilon=3.0)._spec.part == "validation"


class Net(nn.Module):
    """An image, and perhaps a table."""

    def __init__(self, table: int = 0):
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.last = nn.Linear(16 + table, 1)

    def forward(self, image, table=None):
        seen = self.look(image)
        return self.last(seen if table is None else torch.cat([seen, table], dim=1))


@pytest.fixture
def pretend():
    """A simulation whose people have small chests, ill ones with a mass."""
    people = {name: synthetic_patients(60, seed=seed) for seed, name in enumerate(("a", "b"), start=1)}
    scanner = Scanner(4, 32, 32, 11.0, 40.0)
    images = {
        name: [
            MadeUpSeries(int(person), "CT", scanner, bool(ill), (1, place))
            for place, (person, ill) in enumerate(zip(one.person_ids, one.conditions[MALIGNANT], strict=True))
        ][:50]
        for name, one in people.items()
    }
    return simulate.project(people, images=images, epsilon=1000)


CT = flip.images("CT").window(-1000, 400).resize(16, 16)


@pytest.mark.parametrize(
    "features",
    [pytest.param((), marks=pytest.mark.slow), (flip.age(20, 95), RADIUS)],
    ids=["images alone", "and a table"],
)
def test_a_model_of_images_is_trained_and_scored_offline(pretend, features):
    torch.manual_seed(0)
    net = Net(len(features))
    privacy = flip.Privacy(epsilon=40.0)
    asked = {"features": features, "images": CT.slices(2), "label": "malignant", "index": "image"}
    job = pretend.train(net, **asked, privacy=privacy, rounds=2)
    assert job._spec.max_records_per_person == 2
    assert bool(job.notes) == (not features)
    kept = job.result().model()
    assert set(kept.inner.state_dict()) == set(net.state_dict())
    rows = torch.tensor([[60.0, 14.0]]) if features else None
    assert kept.probabilities(rows, torch.zeros(1, 1, 16, 16)).shape == (1,)

    figures = pretend.evaluate(job, epsilon=20.0).result().figures()
    assert figures["persons"][-1] > 20
    again = pretend.evaluate(kept, label="malignant", index="image", epsilon=20.0)
    assert again.result().figures()["persons"][-1] > 20


def test_a_kept_model_does_what_the_module_did(pretend):
    net = Net(1)
    job = pretend.train(
        net, features=[RADIUS], images=CT, label="malignant", rounds=2, privacy=flip.Privacy(epsilon=40.0)
    )
    kept = job.result().model()
    other = Net(1)
    other.load_state_dict(kept.inner.state_dict())
    image, rows = torch.rand(3, 1, 16, 16), torch.tensor([[9.0], [14.0], [float("nan")]])
    scaling, (feature,) = kept.scaling, kept.features
    filled = torch.tensor([[9.0], [14.0], [(feature.low + feature.high) / 2]])
    table = (filled - scaling.shift[0]) / scaling.scale[0]
    table = table.clamp(-scaling.max_norm, scaling.max_norm) if scaling.max_norm else table

    assert torch.allclose(kept(rows, image), other(2 * image - 1, table), atol=1e-5)
    assert torch.allclose(kept(rows, 2 * image - 1, prepared=True), kept(rows, image), atol=1e-6)
    for wrong in ((rows, None), (None, image), (rows, image[:, :, :8])):
        with pytest.raises(flip.ModelError):
            kept(*wrong)


def test_images_that_nobody_has_are_refused(project, pretend):
    for asked, at in ((CT, project), (flip.images("MR").percentiles().resize(8, 8), pretend), (flip.tiles(), pretend)):
        record = asked.record()
        net = (
            Net() if record.kind == "series" else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
        )
        with pytest.raises(flip.JobFailedError):
            at.train(net, images=asked, label="malignant").result()
