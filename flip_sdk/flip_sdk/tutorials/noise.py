"""Drawings of the noise on a count: how much of it there is, what somebody learns from it, and what asking again costs.

A count of persons carries discrete Laplace noise of scale 1/ε, as a Trust's does (Ghosh, Roughgarden and Sundararajan
2012, arXiv 0811.2841): k more or fewer with a probability in proportion to e^(-ε|k|).
"""

from __future__ import annotations

from math import ceil, exp, log

import numpy as np
import numpy.typing as npt

from flip_sdk.accounting.composition import epsilon_of
from flip_sdk.accounting.events import Pure
from flip_sdk.dashboards.pictures import BLUE, GREEN, INK, ORANGE, Picture, canvas, picture

Array = npt.NDArray[np.float64]
DELTA = 1e-5
_SURE = 0.95


def chances(off: Array, epsilon: float) -> Array:
    """Chance of each difference from the true number, whole numbers."""
    base = exp(-epsilon)
    told: Array = (1 - base) / (1 + base) * base ** np.abs(off)
    return told


def reach(epsilon: float) -> int:
    """How far from the truth 95 in 100 noisy counts are at most."""
    base = exp(-epsilon)
    return max(0, ceil(log((1 - _SURE) * (1 + base) / 2) / log(base) - 1 - 1e-9))


def right(epsilon: float, delta: float = 0.0) -> float:
    """How often somebody guesses right at most whether a person was among those counted, at even odds beforehand."""
    return (exp(epsilon) + delta) / (1 + exp(epsilon))


def noisy_count(epsilon: float, persons: float) -> Picture:
    """What a Trust may answer that counts a group, and how often.

    Args:
        epsilon: of the question.
        persons: who are in the group.
    """
    far = reach(epsilon)
    figure, (axis,) = canvas(1, 1, 7.5, 3)
    answers = np.arange(0, 2 * persons + 1)
    axis.fill_between(answers, chances(answers - persons, epsilon), step="mid", color=BLUE, alpha=0.5, linewidth=0)
    axis.axvline(persons, color=INK, linewidth=1.5)
    axis.axvspan(persons - far, persons + far, color=GREEN, alpha=0.12)
    axis.set_xlim(0, 2 * persons)
    axis.set_ylim(0)
    axis.set_yticks([])
    axis.set_xlabel("the answer (the line is the truth; 95 of 100 answers are in the green)")
    share = far / persons
    worth = "useless" if share > 0.5 else "rough" if share > 0.1 else "good"
    caption = (
        f"ε = {epsilon:g}, {persons:g} persons: 95 of 100 answers are within {far} of the truth, which is "
        f"{share:.0%} of the group. For most purposes such an answer is {worth}."
    )
    return picture(figure, f"How often each answer comes: within {far} of {persons:g} in 95 of 100 cases.", caption)


def with_and_without(epsilon: float, persons: float = 42) -> Picture:
    """The answers of a group with one person and without, as somebody sees it who knows everybody else in it.

    Args:
        epsilon: of the question.
        persons: in the group, that one included.
    """
    figure, (axis,) = canvas(1, 1, 7.5, 3)
    answers = np.arange(persons - 16, persons + 16)
    groups = ((persons, "she is in the data", BLUE, 0.2), (persons - 1, "she is not", ORANGE, -0.2))
    for truth, words, colour, aside in groups:
        axis.bar(answers + aside, chances(answers - truth, epsilon), 0.4, color=colour, label=words)
    axis.legend(frameon=False)
    axis.set_yticks([])
    axis.set_xlabel("the answer")
    often = right(epsilon)
    caption = (
        f"ε = {epsilon:g}: whoever sees one answer, knows everybody else, and guesses whether she was in the data, is "
        f"right in {100 * often:.0f} of 100 cases at most. A coin is right in 50."
    )
    return picture(figure, f"Two sets of bars, one step apart; a guess is right in {100 * often:.0f} of 100.", caption)


def many_questions(epsilon: float, questions: float) -> Picture:
    """What many questions cost together by the ledger's arithmetic, and how sure somebody may become.

    Args:
        epsilon: of each question.
        questions: how many are asked at most.
    """
    counts = np.unique(np.linspace(1, questions, min(int(questions), 24)).astype(int))
    spent = np.array([epsilon_of({Pure(epsilon=epsilon): int(n)}, DELTA) for n in counts])
    figure, axes = canvas(2, 1, 7.5, 4.5)
    cost, sure = axes
    cost.plot(counts, counts * epsilon, color=ORANGE, linestyle="--", label="plain sum")
    cost.plot(counts, spent, color=BLUE, marker="o", markersize=4, label="as the ledger adds up")
    cost.set_title("ε spent", fontsize=11)
    cost.legend(frameon=False)
    sure.plot(counts, [100 * min(right(one, DELTA), 1) for one in spent], color=BLUE, marker="o", markersize=4)
    sure.set_title("guesses about one person that are right, in 100 at most", fontsize=11)
    sure.set_xlabel("questions")
    caption = (
        f"{questions:g} questions of ε = {epsilon:g}: the ledger says ε = {spent[-1]:.3g} (plain sum "
        f"{questions * epsilon:g}). A guess about one person is then right "
        f"{_in_words(right(spent[-1], DELTA))}."
    )
    return picture(figure, f"Two rising curves: ε spent, and how often a guess is right, up to {questions:g}.", caption)


def _in_words(share: float) -> str:
    """How often a guess is right; what is nearly certain is not told as a number."""
    certain = 100 * share >= 99.95
    return "nearly always: that protects little" if certain else f"in at most {100 * share:.1f} of 100 cases"
