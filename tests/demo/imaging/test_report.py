"""The second demo's figures, from a small network's own weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flip_sdk.models import export_model, frozen
from flip_sdk.models.showing import shown
from torch import nn

import flip_sdk as flip
from demo.imaging import report
from demo.imaging.hospitals import HOSPITALS, hospital
from demo.imaging.persons import persons_of

IMAGES = flip.images("CT").all().window(-1000, 400).spacing(10, 10).size(16, 16).record()


@pytest.fixture
def eye():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def network(eye, weight):
    head = nn.Linear(3, 1)
    nn.init.constant_(head.weight, weight)
    exported = export_model(shown(frozen(eye, head), 0, (1, 16, 16)), 256, "binary_cross_entropy")
    return report.Network(exported.graph, exported.weights)


def test_what_the_frozen_layers_see_is_what_the_module_saw(eye):
    images = np.random.default_rng(0).uniform(-1, 1, (5, 1, 16, 16))
    made = network(eye, 1.0)

    with torch.no_grad():
        assert np.allclose(made.seen(images), eye(torch.from_numpy(images).float()).numpy(), atol=1e-5)
    assert np.allclose(made.head[0], 1.0)


def test_a_person_is_one_however_many_images(eye):
    place = hospital("carrick")
    people = persons_of(place)[:6]
    found = report.looked_at(network(eye, 1.0), IMAGES, place, people)

    assert found.seen.shape == (6, 3)
    assert sum(len(person.visits) for person in people) > 6
    assert found.ill.tolist() == [person.ill for person in people]


def test_the_table_has_every_row_and_figures_that_can_be(eye, monkeypatch):
    monkeypatch.setattr(report, "HOSPITALS", tuple(replace(place, persons=12, ill=6) for place in HOSPITALS))
    sent, kept = network(eye, 1.0), network(eye, -1.0)
    figures, persons = report.compare("chest-ct", IMAGES, sent, kept)

    assert 3 < persons < 20
    by_name = {row.model.partition(",")[0]: row for row in figures}
    assert len(by_name) == 5
    # the same layers with the last one turned round
    assert by_name["federated over three Trusts"].auc == pytest.approx(1 - by_name["as it was sent"].auc)
    assert by_name["majority class"].auc == 0.5
    assert all(0 <= row.accuracy <= 1 for row in figures)
    assert report.accuracy_table(figures, persons, 3.0).row_count == 5
