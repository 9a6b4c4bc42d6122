from __future__ import annotations

import pytest
from flip_hub.airlock.checks import load, presets
from flip_hub.airlock.checks.limits import parse
from flip_hub.errors import ConfigError


def test_the_presets_are_the_published_ones() -> None:
    assert presets() == ("acro", "nhs-england", "opensafely")
    assert [(load(name).threshold, load(name).round_to) for name in presets()] == [(10, 1), (10, 5), (8, 5)]


def test_acros_values_are_those_of_its_own_file() -> None:
    acro = pytest.importorskip("acro")
    config = acro.ACRO(suppress=False).config
    limits = load("acro")

    assert (config["safe_threshold"], config["safe_nk_n"]) == (limits.threshold, limits.dominant)
    assert (config["safe_nk_k"], config["safe_pratio_p"]) == (limits.dominant_share, limits.p_ratio)
    assert config["zeros_are_disclosive"] == limits.zeros_are_small


@pytest.mark.parametrize(
    "text",
    ["threshold: 10", "title: x\npurpose: y\nthreshold: 0", "title: x\npurpose: y\nthreshold: 5\nlowest: 3", "[", "7"],
)
def test_limits_that_say_what_limits_cannot_say_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "own")


def test_there_are_no_others() -> None:
    with pytest.raises(ConfigError):
        load("none")
