"""The number of a training that is worth a curve: one that the rounds' noisy sums give anyway, at no further cost."""

from __future__ import annotations

from collections.abc import Iterable

_NO_CURVE = frozenset({"round", "seconds", "trusts", "persons", "epsilon"})
_WORDS = {
    "loss_change": "change of the loss",
    "gradient_norm": "pull on the weights",
    "update_norm": "size of the step",
}
_MEANINGS = {
    "loss_change": (
        "How far the loss had fallen when the round began, estimated from the slopes that the Trusts released in the "
        "rounds anyway, their bias by noise taken off. Each person's part in it is clipped as in the training, "
        "so it falls less than the loss itself. It need not fall steadily."
    ),
    "gradient_norm": (
        "It says how strongly the records still pull at the model's weights: high at first, then down to the level of "
        "the noise that protects people. It need not fall steadily."
    ),
}


def curve_of(names: Iterable[str]) -> str:
    """Which of these numbers to draw; empty when there is none."""
    found = [name for name in names if name not in _NO_CURVE]
    return next((name for name in _WORDS if name in found), next(iter(found), ""))


def words_for(name: str) -> str:
    """A number's name as a person reads it."""
    return _WORDS.get(name, name.replace("_", " "))


def meaning_of(name: str) -> str:
    """What a number says, in sentences; empty where its name says it."""
    return _MEANINGS.get(name, "")
