"""Every candidate, under every trust model, in every world, some times over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flip_sdk.accounting.calibrate import event_for
from flip_sdk.accounting.composition import alone, epsilon_of
from flip_sdk.accounting.price import events_of_job
from flip_sdk.advising.advice import Advice, Option, best_first, reasons
from flip_sdk.advising.asked import Asked, Candidate
from flip_sdk.advising.trying import Tried, attempt, without_privacy
from flip_sdk.advising.worlds import TESTED
from flip_sdk.contract.jobs import DPSGD, FullBatch, Scaling, TrainSpec
from flip_sdk.errors import ModelError
from flip_sdk.privacy import Privacy

if TYPE_CHECKING:
    from flip_sdk.advising.worlds import World
    from flip_sdk.mechanisms.snapshot import Snapshot


@dataclass
class _Seen:
    """What was seen of one candidate under one trust model."""

    tries: dict[str, list[Tried]] = field(default_factory=dict)

    def mean(self, figure: str) -> dict[str, float]:
        return {world: float(np.mean([getattr(one, figure) for one in ones])) for world, ones in self.tries.items()}

    @property
    def spread(self) -> float:
        """Standard error of the mean accuracy: worlds are fixed, tries in them are by chance.

        One try says nothing of how tries differ; what is left is the chance of its test persons.
        """
        every = [np.array([one.accuracy for one in ones]) for ones in self.tries.values()]
        variances = [
            one.var(ddof=1) / len(one) if len(one) > 1 else float(one[0] * (1 - one[0])) / TESTED for one in every
        ]
        return math.sqrt(sum(variances)) / len(every)


def run(asked: Asked, tries: int, *, quiet: bool) -> Advice:
    """Try everything, and say what is best."""
    from rich.console import Console
    from rich.progress import Progress

    seen = {(c.name, p.trust_model.kind): _Seen() for c in asked.candidates for p in asked.privacies}
    free: dict[str, list[float]] = {candidate.name: [] for candidate in asked.candidates}
    small: Counter[str] = Counter()
    trainings = len(asked.worlds) * tries * len(asked.candidates) * len(asked.privacies)
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        bar = progress.add_task("Trying models", total=trainings)
        for number, world in enumerate(asked.worlds):
            for again in range(tries):
                people, test = _drawn(asked, world, number, again)
                for candidate in asked.candidates:
                    progress.update(bar, description=f"Trying {candidate.name}: {world.name}")
                    if not again:
                        free[candidate.name].append(_free(asked, candidate, people, test))
                    for privacy in asked.privacies:
                        tried = _tried(asked, candidate, privacy, people, test)
                        seen[candidate.name, privacy.trust_model.kind].tries.setdefault(world.name, []).append(tried)
                        small.update(tried.too_small)
                        progress.advance(bar)
    refused = [name for name, times in small.items() if 2 * times >= trainings]
    options = [
        _option(asked, candidate, privacy, seen[candidate.name, privacy.trust_model.kind], free[candidate.name])
        for candidate in asked.candidates
        for privacy in asked.privacies
    ]
    return _advice(asked, best_first(options), refused, tries)


def _drawn(asked: Asked, world: World, number: int, again: int) -> tuple[dict[str, Snapshot], Snapshot]:
    random = np.random.default_rng([asked.seed, number, again])
    return world.people(asked.counts, random), world.test(random)


def _tried(
    asked: Asked, candidate: Candidate, privacy: Privacy, people: Mapping[str, Snapshot], test: Snapshot
) -> Tried:
    spec = asked.spec(privacy, _scaling(people) if privacy.scaling == "given" else None)
    try:
        return attempt(spec, candidate.exported, people, test)
    except ModelError as error:
        raise type(error)(f"{candidate.name!r} cannot be tried: {error.message}", error.mend) from error


def _scaling(people: Mapping[str, Snapshot]) -> Scaling:
    """As if the people's means and spreads had been published."""
    from flip_sdk.mechanisms.aggregate import standard

    rows = np.concatenate([one.features for one in people.values()])
    return standard(np.nanmean(rows, axis=0), np.maximum(np.nanstd(rows, axis=0), 1e-9))


def _free(asked: Asked, candidate: Candidate, people: Mapping[str, Snapshot], test: Snapshot) -> float:
    bounds = np.array([[feature.low, feature.high] for feature in asked.features])
    return without_privacy(candidate.module, asked.loss, people, test, bounds).accuracy


def _option(asked: Asked, candidate: Candidate, privacy: Privacy, seen: _Seen, free: list[float]) -> Option:
    spec, trusts = asked.spec(privacy), len(asked.counts)
    job = events_of_job(spec, trusts)
    noise = _noise(spec, asked, trusts)
    return Option(
        model=candidate.name,
        trust_model=privacy.trust_model.kind,
        accuracy=seen.mean("accuracy"),
        auc=seen.mean("auc"),
        spread=seen.spread,
        without_privacy=float(np.mean(free)),
        numbers=candidate.numbers,
        noise=noise * math.sqrt(candidate.numbers),
        learning_rate=_rate(spec, noise, candidate.numbers),
        epsilon=epsilon_of(job, privacy.delta),
        epsilon_alone=epsilon_of(alone(job), privacy.delta),
    )


def _noise(spec: TrainSpec, asked: Asked, trusts: int) -> float:
    """Deviation of each coordinate of one step's mean gradient, in units of the clip."""
    mechanism = spec.privacy.mechanism
    multiplier: float = getattr(event_for(spec, "train", trusts), "noise_multiplier")  # noqa: B009 - each has one
    persons = sum(asked.counts.values())
    match mechanism:
        case FullBatch():
            return multiplier * math.sqrt(trusts) / persons
        case DPSGD():
            return multiplier * trusts / (persons * mechanism.sampling_rate)
        case _:
            return 0.0


def _rate(spec: TrainSpec, noise: float, numbers: int) -> float | None:
    from flip_sdk.mechanisms.aggregate import automatic_rate

    mechanism = spec.privacy.mechanism
    match mechanism:
        case FullBatch():
            return mechanism.learning_rate or automatic_rate(noise, numbers, spec.rounds)
        case DPSGD():
            return mechanism.learning_rate
        case _:
            return None


def _advice(asked: Asked, options: tuple[Option, ...], refused: list[str], tries: int) -> Advice:
    best = options[0]
    privacy = next(one for one in asked.privacies if one.trust_model.kind == best.trust_model)
    return Advice(
        model=best.model,
        module=next(one.module for one in asked.candidates if one.name == best.model),
        privacy=privacy,
        rounds=asked.rounds,
        accuracy=best.mean,
        auc=float(np.mean(list(best.auc.values()))),
        learning_rate=best.learning_rate,
        max_grad_norm=getattr(privacy.mechanism, "max_grad_norm", None),
        epsilon=best.epsilon,
        epsilon_alone=best.epsilon_alone,
        options=options,
        why=reasons(options, refused, [world.name for world in asked.worlds], tries),
    )
