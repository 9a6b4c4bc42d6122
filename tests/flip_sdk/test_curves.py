from __future__ import annotations

import pytest
from flip_sdk.curves import curve_of, meaning_of, words_for


@pytest.mark.parametrize(
    ("names", "drawn"),
    [
        (["round", "seconds", "trusts", "gradient_norm"], "gradient_norm"),
        (["update_norm", "loss_change"], "loss_change"),
        (["seconds", "surprise"], "surprise"),
        (["round", "seconds", "trusts"], ""),
        ([], ""),
    ],
)
def test_one_number_is_worth_a_curve(names: list[str], drawn: str) -> None:
    assert curve_of(names) == drawn


def test_every_number_has_words() -> None:
    assert words_for("some_thing") == "some thing"
    assert words_for("gradient_norm") != "gradient_norm"
    assert meaning_of("surprise") == ""
    assert meaning_of("loss_change") != meaning_of("gradient_norm")
