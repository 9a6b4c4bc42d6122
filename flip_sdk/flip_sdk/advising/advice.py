"""What trying models on made-up people says, as a researcher reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.frames import Frame
    from flip_sdk.privacy import Privacy


@dataclass(frozen=True)
class Option:
    """A candidate under a trust model.

    Attributes:
        model: the candidate's name.
        trust_model: ``local`` or ``distributed``.
        accuracy: over all tries, by world: mean.
        auc: the same.
        spread: standard error of the mean accuracy.
        without_privacy: accuracy of the same model trained on everybody in one place without noise.
        numbers: how many are trained.
        noise: length of one step's noise, where a step without noise is 1 at most; 0 where there are no steps.
        learning_rate: of each round; None where nothing descends.
        epsilon: what the job costs each Trust.
        epsilon_alone: what it costs if every other Trust worked with the hub.
    """

    model: str
    trust_model: str
    accuracy: dict[str, float]
    auc: dict[str, float]
    spread: float
    without_privacy: float
    numbers: int
    noise: float
    learning_rate: float | None
    epsilon: float
    epsilon_alone: float

    @property
    def mean(self) -> float:
        """Accuracy over all worlds."""
        return fmean(self.accuracy.values())


@dataclass(frozen=True, repr=False)
class Advice:
    """Which model to train, and how: tried on made-up or public people, so that no budget was spent.

    Expected figures are of those people. How the models compare is what carries over, more than how good they are.

    Attributes:
        model: the name of the candidate to use.
        module: the candidate itself, as it was given.
        privacy: for ``project.train(privacy=…)``, with the trust model to ask for.
        rounds: for ``project.train(rounds=…)``.
        accuracy: expected.
        auc: expected.
        learning_rate: that the hub will use; None where nothing descends.
        max_grad_norm: the clip; None where no gradients are clipped.
        epsilon: what the job will cost each Trust.
        epsilon_alone: what it costs if every other Trust worked with the hub.
        options: every candidate under every trust model, best first.
        why: in words.
    """

    model: str
    module: nn.Module
    privacy: Privacy
    rounds: int
    accuracy: float
    auc: float
    learning_rate: float | None
    max_grad_norm: float | None
    epsilon: float
    epsilon_alone: float
    options: tuple[Option, ...]
    why: tuple[str, ...]

    @property
    def trust_model(self) -> str:
        """On whom the guarantee depends: ``local`` or ``distributed``."""
        return self.privacy.trust_model.kind

    def __repr__(self) -> str:
        return "\n".join((self.headline, *(f"  • {line}" for line in self.why), repr(self.table())))

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.why)
        return f"<p><strong>{escape(self.headline)}</strong></p><ul>{lines}</ul>{self.table()._repr_html_()}"

    def table(self) -> Frame:
        """One row a candidate and trust model, the advised one first.

        Accuracy in each world and over all with its standard error, AUC, accuracy without privacy; how many numbers are
        trained; a step's noise in units of its greatest length; the learning rate; ε if every other Trust worked with
        the hub.
        """
        from flip_sdk.frames import frame

        worlds = list(self.options[0].accuracy)
        schema = {
            "model": str,
            "trust_model": str,
            **dict.fromkeys((*worlds, "accuracy", "error", "auc", "no_privacy"), float),
            "trained": int,
            **dict.fromkeys(("noise", "rate", "alone"), float),
        }
        return frame([self._row(option) for option in self.options], schema, "Tried on people who are nobody's secret")

    @property
    def headline(self) -> str:
        """What to use, and what is expected of it, in a line."""
        rate = "" if self.learning_rate is None else f", learning rate {self.learning_rate:.3g}"
        clip = "" if self.max_grad_norm is None else f", clip {self.max_grad_norm:g}"
        alone = f" ({self.epsilon_alone:.3g} if every other Trust worked with the hub)" if self._shared else ""
        return (
            f"Use {self.model!r} with {self.privacy.mechanism.kind}, {self.trust_model} noise, {self.rounds} rounds"
            f"{clip}{rate}: expected accuracy {self.accuracy:.3f}, AUC {self.auc:.3f}, "
            f"for ε {self.epsilon:.3g}{alone} at each Trust, unit person."
        )

    @property
    def _shared(self) -> bool:
        return self.trust_model == "distributed"

    def _row(self, option: Option) -> dict[str, object]:
        figures = {
            **option.accuracy,
            "accuracy": option.mean,
            "error": option.spread,
            "auc": fmean(option.auc.values()),
            "no_privacy": option.without_privacy,
            "noise": option.noise,
            "rate": option.learning_rate,
            "alone": option.epsilon_alone,
        }
        row: dict[str, object] = {name: None if x is None else round(x, 3) for name, x in figures.items()}
        row |= {"model": option.model, "trust_model": option.trust_model, "trained": option.numbers}
        return row


def best_first(options: Sequence[Option]) -> tuple[Option, ...]:
    """By accuracy over all worlds; of those that chance alone may have put behind the best, the smallest model first.

    That is the rule of one standard error (Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees",
    1984, section 3.4.3): under privacy every trained number carries noise, so a larger one has to be worth it. So has a
    guarantee that depends on other Trusts.
    """
    ordered = sorted(options, key=lambda option: -option.mean)
    top = ordered[0]
    near = [o for o in ordered if top.mean - o.mean <= math.hypot(o.spread, top.spread)]
    first = min(near, key=lambda option: (option.numbers, option.trust_model != "local", -option.mean))
    return (first, *(option for option in ordered if option is not first))


def reasons(options: Sequence[Option], refused: Sequence[str], worlds: Sequence[str], tries: int) -> tuple[str, ...]:
    """Why the first option is the one, in words."""
    chosen, others = options[0], options[1:]
    told = [_against(chosen, other) for other in _best_of_others(chosen, others)]
    told += [
        f"With {other.trust_model} noise it would be at {other.mean:.3f}."
        for other in others
        if other.model == chosen.model
    ]
    told.append(
        f"Privacy costs it {max(0.0, chosen.without_privacy - chosen.mean):.3f} of accuracy "
        f"({chosen.without_privacy:.3f} without)."
    )
    told += [f"{name} is so small that its floor may keep it out." for name in refused]
    where = " and ".join(worlds)
    told.append(f"Tried {tries} times in {where}: no budget was spent, no record of a Trust was touched.")
    return tuple(told)


def _best_of_others(chosen: Option, others: Sequence[Option]) -> list[Option]:
    """Each other candidate, under the trust model that suits it best."""
    found: dict[str, Option] = {}
    for option in others:
        if option.model != chosen.model:
            found.setdefault(option.model, option)
    return list(found.values())


def _against(chosen: Option, other: Option) -> str:
    text = f"{chosen.model!r} is at {chosen.mean:.3f}, {other.model!r} at {other.mean:.3f}"
    if not other.noise:
        return f"{text}."
    return (
        f"{text}. A step's noise, in units of its greatest length: {chosen.noise:.2g} over {chosen.numbers:,} trained "
        f"numbers, {other.noise:.2g} over {other.numbers:,}."
    )
