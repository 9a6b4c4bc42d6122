"""Jobs over pretend Trusts: the same calls and errors as a real project, with noise, floors and a budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.contract.twins import GRIDS
from flip_sdk.errors import JobFailedError, NotFoundError, SpecError
from flip_sdk.mechanisms.twin_images import Series
from flip_sdk.testing import FakeHub, synthetic_patients
from flip_sdk.testing.patients import MALIGNANT

import flip_sdk as flip
from flip_sdk import simulate

FEATURES = 4


def rows(persons: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(persons) < 0.5).astype(int)
    return random.normal(size=(persons, FEATURES)) * 0.5 + labels[:, None] * np.array([1.5, -1.0, 0.5, 0]), labels


def pretend(persons: int = 400, **more):
    return simulate.project({name: rows(persons, seed) for seed, name in enumerate("abcd")}, **more)


def train(sim, privacy, model=None, **more):
    model = model or torch.nn.Linear(FEATURES, 1)
    return sim.train(model, features=sim.catalogue().features(), label="label", privacy=privacy, **more).result()


@pytest.mark.parametrize(
    ("mechanism", "trust_model"),
    [
        ("full_batch", "local"),
        ("full_batch", "distributed"),
        ("sufficient_statistics", "local"),
        ("sufficient_statistics", "distributed"),
        ("dp_sgd", "local"),
        ("fedadam", "local"),
        ("fedprox", "local"),
        ("scaffold", "local"),
    ],
)
def test_every_preset_learns_and_is_paid_for(mechanism, trust_model):
    sim = pretend()
    result = train(sim, flip.Privacy(epsilon=6, mechanism=mechanism, trust_model=trust_model))
    figures = sim.evaluate(result, epsilon=2).result().record.figures[-1]
    assert figures.accuracy > 0.85
    assert figures.auc > 0.93
    spent = dict(sim.budget().select("trust", "spent").iter_rows())
    assert set(spent) == set("abcd")
    assert all(6 < epsilon < 9 for epsilon in spent.values())


def test_there_is_noise_in_it():
    sim = pretend(persons=300, epsilon=100.0)
    counts = {tuple(sim.count(epsilon=0.2)["persons"].to_list()) for _ in range(4)}
    assert len(counts) > 1
    trained = [train(sim, flip.Privacy(epsilon=1), rounds=2).model().inner.weight.tolist() for _ in range(2)]
    assert trained[0] != trained[1]


def test_less_epsilon_is_more_noise():
    def spread(epsilon: float) -> float:
        sim = pretend(persons=400, epsilon=200.0)
        zero = torch.nn.Linear(FEATURES, 1)
        torch.nn.init.zeros_(zero.weight)
        privacy = flip.Privacy(epsilon=epsilon, mechanism=flip.FullBatch(learning_rate=1.0))
        found = [train(sim, privacy, zero, rounds=2).model().inner.weight.numpy(force=True) for _ in range(6)]
        return float(np.std(found, axis=0).mean())

    assert spread(0.5) > 3 * spread(8.0)


def test_a_trust_under_its_floor_refuses_and_pays():
    people = {"a": rows(400, 1), "b": rows(400, 2), "tiny": rows(12, 3)}
    sim = simulate.project(people)
    result = train(sim, flip.Privacy(epsilon=2))
    assert [(r.trust, r.code) for r in result.record.refusals] == [("tiny", RefusalCode.COHORT_TOO_SMALL)]
    spent = dict(sim.budget().select("trust", "spent").iter_rows())
    assert spent["tiny"] == pytest.approx(2, abs=0.01)


def test_too_few_trusts_cannot_share_noise():
    people = {"a": rows(400, 1), "b": rows(400, 2), "tiny": rows(12, 3), "small": rows(12, 4)}
    with pytest.raises(JobFailedError):
        train(simulate.project(people), flip.Privacy(epsilon=2, trust_model="distributed"))


def test_errors_are_those_of_a_real_project():
    sim = pretend(persons=50, epsilon=2.0)
    with pytest.raises(SpecError) as caught:
        train(sim, flip.Privacy(epsilon=3))
    assert [violation.rule for violation in caught.value.violations] == ["budget_exceeded"]
    with pytest.raises(SpecError) as caught:
        train(sim, flip.Privacy(epsilon=1, mechanism="scaffold", trust_model="distributed"))
    assert [violation.rule for violation in caught.value.violations] == ["mechanism_needs_local_noise"]
    with pytest.raises(NotFoundError):
        sim.train(torch.nn.Linear(1, 1), features=["nothing"], label="label")


def test_the_price_is_what_is_debited():
    sim = pretend(persons=100)
    model, privacy = torch.nn.Linear(FEATURES, 1), flip.Privacy(epsilon=3, trust_model="distributed")
    priced = sim.price(model, features=sim.catalogue().features(), label="label", privacy=privacy)
    train(sim, privacy, model)
    assert priced["after"].to_list() == pytest.approx(sim.budget()["spent"].to_list())


def test_people_made_up_after_a_catalogue_have_its_concepts_and_bounds():
    hub = FakeHub()
    real = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology")
    catalogue = real.catalogue()
    made = simulate.synthetic(catalogue, persons={"aldgate": 300, "dunmore": 60})
    assert {name: len(people) for name, people in made.items()} == {"aldgate": 300, "dunmore": 60}
    assert len(simulate.synthetic(catalogue)["carrick"]) == 110
    for concept in catalogue:
        if concept.domain == "Measurement":
            values = made["aldgate"].measurements[concept.concept_id]
            assert np.nanmin(values) >= concept.low
            assert np.nanmax(values) <= concept.high
    sim = simulate.project(made, catalogue)
    assert sim.catalogue().features() == catalogue.features()
    assert hub.jobs == {}


def test_people_of_a_trust_with_a_twin_are_made_up_from_it():
    """A rare condition of the real people is as rare among those made up, where it would be in four of ten."""
    hub = FakeHub()
    trust = hub.trusts["aldgate"]
    trust.patients = synthetic_patients(5000, malignant=0.1, seed=3)
    trust.publish_twin(4.0)
    catalogue = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology").catalogue()

    people = simulate.synthetic(catalogue, 3000)

    assert catalogue.twins.keys() == {"aldgate"}
    made, invented = people["aldgate"], people["brookfield"]
    assert made.conditions[MALIGNANT].mean() == pytest.approx(0.1, abs=0.03)
    assert invented.conditions[MALIGNANT].mean() > 0.3
    real = trust.patients.measurements
    assert all(
        np.nanmean(own) == pytest.approx(np.nanmean(real[concept]), abs=0.2 * np.nanstd(real[concept]))
        for concept, own in made.measurements.items()
    )
    assert simulate.project(people, catalogue).catalogue().features() == catalogue.features()


def test_made_up_people_have_images_of_the_geometry_that_a_twin_tells():
    hub = FakeHub()
    trust = hub.trusts["aldgate"]
    count = len(trust.patients)
    geometry = dict(zip(GRIDS, (64, 96, 4.0, 4, 6), strict=True))
    series = Series(np.zeros(count, dtype=np.int64), {told: np.full(count, value) for told, value in geometry.items()})
    trust.publish_twin(4.0, series)
    catalogue = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology").catalogue()
    people = simulate.synthetic(catalogue, 30)

    found = simulate.images(catalogue, people, lesion="malignant")
    again = simulate.images(catalogue, people, lesion="malignant")

    assert found.keys() == people.keys()
    assert [one.person_id for one in found["aldgate"]] == people["aldgate"].person_ids.tolist()
    assert [one.ill for one in found["aldgate"]] == people["aldgate"].conditions[MALIGNANT].tolist()
    assert found["aldgate"][3].volume().shape == (4, 64, 96)
    assert found["brookfield"][3].volume().shape == (8, 128, 128)
    shown = flip.images("CT").slices(2).window(-650, 50).resize(32, 32)
    assert {shown.preview(own.volume(), own.spacing).shape for all_ in found.values() for own in all_[:2]} == {
        (2, 1, 32, 32)
    }
    assert np.array_equal(found["aldgate"][5].volume(), again["aldgate"][5].volume())
    assert not np.array_equal(found["aldgate"][5].volume(), found["aldgate"][6].volume())
    with pytest.raises(NotFoundError):
        simulate.images(catalogue, people, modality="XX")


def test_a_model_that_learned_beforehand_begins_where_it_was():
    torch.manual_seed(0)
    x, y = rows(2000, 9)
    learned = simulate.pretrain(torch.nn.Linear(FEATURES, 1), x, y)
    sim = pretend(persons=400)
    result = train(sim, flip.Privacy(epsilon=0.5, scaling="given"), learned.model, scaling=learned.scaling, rounds=2)
    assert result.record.scaling == learned.scaling
    assert sim.evaluate(result, epsilon=2).result().record.figures[-1].auc > 0.9


NARROW, SHORT = (np.zeros((5, 2)), np.zeros(5)), (np.zeros((5, 2)), np.zeros(4))


@pytest.mark.parametrize("trusts", [{"a": rows(10, 1), "b": NARROW}, {"a": SHORT}])
def test_arrays_have_to_fit_together(trusts):
    with pytest.raises(NotFoundError):
        simulate.project(trusts)
