from __future__ import annotations

import sys

import pytest
from flip_sdk.tutorials import noisy_count, sliders


def test_the_middle_comes_first_and_moving_draws_anew() -> None:
    shown = sliders(noisy_count, epsilon=(0.1, 0.5, 2), persons=(20, 100, 500))

    assert shown.values == {"epsilon": 0.5, "persons": 100}
    assert "500 persons" in shown.move(persons=500).caption


def test_the_widget_has_the_still_drawing_beside_it() -> None:
    bundle = sliders(noisy_count, epsilon=(0.1, 0.5, 2), persons=(20, 100, 500))._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "<img alt=" in bundle["text/html"]
    assert "95 of 100 answers" in bundle["text/plain"]


def test_a_slider_that_is_moved_moves_the_drawing() -> None:
    shown = sliders(noisy_count, epsilon=(0.1, 0.5, 2), persons=(20, 100, 500))
    *handles, drawing = shown._widget().children

    handles[0].value = 2

    assert "ε = 2" in drawing.value


def test_without_widgets_the_still_drawing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = sliders(noisy_count, epsilon=(0.5,), persons=(100,))._repr_mimebundle_()

    assert set(bundle) == {"text/html", "text/plain"}
