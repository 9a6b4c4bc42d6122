"""Made-up chests: as a scanner would see them, the same from the same seed, with a mass that can be learnt."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.simulate.anatomy import AIR, LUNG
from flip_sdk.simulate.phantoms import Scanner, chest, phantoms, scan
from flip_sdk.simulate.shapes import Ellipsoid, Grid, paint
from scipy import ndimage
from sklearn.metrics import roc_auc_score

SCANNERS = (
    Scanner(noise=12, smoothness=1.0),
    Scanner(noise=25, smoothness=0.5, spacing=3.3, shift=(8, -5)),
    Scanner(noise=35, smoothness=0.8, thickness=6, shift=(-10, 4)),
)
"""Three hospitals'."""


def person(seed: int = 7, *, lesion: bool = False):
    return chest(np.random.default_rng(seed), lesion=lesion)


def test_the_same_seed_makes_the_same_persons():
    few = phantoms(Scanner(), [True, False], seed=3)
    more = phantoms(Scanner(), [True, False, True], seed=3)

    assert few.shape == (2, 8, 128, 128)
    assert few.dtype == np.int16
    assert np.array_equal(few, more[:2])
    assert not np.array_equal(few, phantoms(Scanner(), [True, False], seed=4))
    assert phantoms(Scanner(), [], seed=3).shape == (0, 8, 128, 128)


def test_hounsfield_units_are_those_of_a_chest():
    image = scan(person(), Scanner(noise=5), np.random.default_rng(1)).astype(float)
    values = ndimage.gaussian_filter(image, (0, 1, 1))

    assert values[:, :6, :6].mean() == pytest.approx(AIR, abs=20)
    assert np.median(values[(values > -950) & (values < -700)]) == pytest.approx(LUNG, abs=80)
    assert 0.05 < ((values > 0) & (values < 120)).mean() < 0.4
    assert values.max() > 300


def test_the_left_of_the_person_is_on_the_right_of_the_image():
    images = phantoms(Scanner(scatter=0, noise=1), [False] * 12, seed=5).mean(axis=(0, 1))
    front = images[45:62]

    # the heart leans to the left, and so leaves less of the left lung
    assert front[:, 64:].mean() > front[:, :64].mean() + 50


def test_a_scanner_sees_a_person_again_as_the_same_person():
    first, again = (scan(person(), Scanner(scatter=0), np.random.default_rng(seed)) for seed in (1, 2))
    other = scan(person(8), Scanner(scatter=0), np.random.default_rng(1))

    assert not np.array_equal(first, again)
    assert np.abs(first - again.astype(float)).mean() < np.abs(first - other.astype(float)).mean() / 3


def test_scanners_are_told_apart():
    def noise(scanner: Scanner) -> float:
        twice = [scan(person(), scanner, np.random.default_rng(seed))[:, 55:75, 55:75] for seed in (1, 2)]
        return float(np.std(twice[0].astype(float) - twice[1]))

    assert noise(Scanner(scatter=0, noise=40)) > 2.5 * noise(Scanner(scatter=0, noise=10))
    moved = [scan(person(), Scanner(scatter=0, shift=shift), np.random.default_rng(1)) for shift in ((0, 0), (25, 0))]
    rows = [ndimage.center_of_mass(volume > -300)[1] for volume in moved]
    assert rows[1] - rows[0] == pytest.approx(25 / Scanner().step, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 16, 16), (8, 512, 300), (3, 64, 128)])
def test_any_geometry_can_be_asked_for(shape):
    slices, rows, columns = shape
    scanner = Scanner(slices=slices, rows=rows, columns=columns)

    assert phantoms(scanner, [True], seed=1).shape == (1, *shape)
    assert scanner.step * max(rows, columns) == 400


def test_a_lesion_is_where_it_is_said_to_be():
    for seed in range(10):
        ill = person(seed, lesion=True)
        assert ill.lesion is not None
        volume = scan(ill, Scanner(scatter=0, slices=1, noise=1), np.random.default_rng(1))
        step = Scanner().step
        turned = Ellipsoid(ill.lesion.centre, (1, 1, 1), 0).turned(ill.parts[0].turn)
        row, column = (round(place / step + 63.5) for place in turned.centre[1:])
        assert volume[0, row - 1 : row + 2, column - 1 : column + 2].mean() > ill.lesion.hounsfield - 150


def test_paint_is_soft_at_the_edge_and_fills_what_it_should():
    volume = np.zeros((20, 60, 60), dtype=np.float32)
    paint(volume, Grid(volume.shape, (1.0, 1.0, 1.0), (0, 0, 0)), [Ellipsoid((0, 3, -4), (5, 8, 11), 100.0, 0.6)])

    assert volume.sum() / 100 == pytest.approx(4 / 3 * np.pi * 5 * 8 * 11, rel=0.1)
    assert ndimage.center_of_mass(volume)[1:] == pytest.approx((32.5, 25.5), abs=0.1)
    assert ((volume > 0) & (volume < 100)).any()


def test_a_mass_shows_in_the_picture_and_in_nothing_else():
    ill = np.random.default_rng(0).random(90) < 0.5
    images = phantoms(Scanner(slices=2), ill, seed=11).mean(axis=1)

    assert 0.3 < roc_auc_score(ill, images.mean(axis=(1, 2))) < 0.7
    assert roc_auc_score(ill, [_dense_in_lungs(image) for image in images]) > 0.75


def _dense_in_lungs(image: np.ndarray) -> float:
    """How much of the lungs something fills that is thicker than a vessel."""
    y, x = np.ogrid[-7:8, -7:8]
    air = ndimage.binary_fill_holes(image > -500) & (ndimage.gaussian_filter(image, 0.7) < -500)
    lungs = ndimage.binary_closing(ndimage.binary_opening(air, iterations=2), np.hypot(y, x) < 7)
    thick = ndimage.binary_opening(image > -450, (np.hypot(y, x) < 2.6))
    return float((lungs & thick).sum())


@pytest.mark.slow
def test_a_small_network_learns_to_see_it():
    torch = pytest.importorskip("torch")

    def people(seed: int):
        labels = [np.random.default_rng([seed, number]).random(100) < 0.5 for number in range(3)]
        images = [
            phantoms(scanner, ill, 10 * seed + number)[:, 2:6]
            for number, (scanner, ill) in enumerate(zip(SCANNERS, labels, strict=True))
        ]
        small = np.concatenate(images).reshape(300, 4, 32, 4, 32, 4).mean((3, 5))
        return torch.tensor(np.clip((small + 300) / 700, -1, 1)).float(), torch.tensor(np.concatenate(labels)).float()

    def layer(before: int, after: int):
        return (torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.GroupNorm(4, after), torch.nn.ReLU())

    torch.manual_seed(0)
    nets = (*layer(1, 16), torch.nn.MaxPool2d(2), *layer(16, 32), torch.nn.MaxPool2d(2), *layer(32, 32))
    model = torch.nn.Sequential(*nets, torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 1))
    images, labels = people(1)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3, weight_decay=1e-4)
    for _ in range(75):
        for chosen in torch.randperm(300).split(32):
            batch = images[chosen, torch.randint(4, (len(chosen),))][:, None]
            batch = batch.flip(3) if torch.rand(1) < 0.5 else batch
            batch = torch.roll(batch, tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch)[:, 0], labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    others, truth = people(2)
    with torch.no_grad():
        scores = torch.stack([model(others[:, place][:, None])[:, 0] for place in range(4)]).mean(0)

    assert roc_auc_score(truth, scores) > 0.85
