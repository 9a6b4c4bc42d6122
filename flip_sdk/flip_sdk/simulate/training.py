"""A training job over pretend Trusts: the Trusts' mechanisms, their noise, and the hub's arithmetic, in one process.

What is left out is what needs no trying: signatures, sandboxes, masks (which cancel), the wire.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract import prepare
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.jobs import DPSGD, DistributedNoise, FullBatch, Scaffold, TrainSpec
from flip_sdk.mechanisms.floors import FLOOR, gaussian_threshold
from flip_sdk.simulate.noise import Noise

if TYPE_CHECKING:
    from flip_sdk.contract.jobs import Scaling
    from flip_sdk.mechanisms.aggregate import Prepared
    from flip_sdk.mechanisms.snapshot import Snapshot

Array = npt.NDArray[np.float64]
Tensors = Mapping[str, Array]
ALL = "all"


class Training:
    """A training job, round by round.

    Args:
        spec: the job.
        graph: its model's graph.
        weights: its model's weights.
        snapshots: each Trust's persons of the job's part of the cohort.
        noise: how loud.
        asked: for how many Trusts the job was signed off.
        over_floor: Trusts that a number told before shows to be over their floor.

    Attributes:
        too_small: Trusts whose noisy number of persons is under their floor: they take no part.
        scaling: what the others agreed on; None where they are too few.
    """

    def __init__(
        self,
        spec: TrainSpec,
        graph: bytes,
        weights: bytes,
        snapshots: Mapping[str, Snapshot],
        noise: Noise,
        asked: int,
        over_floor: Collection[str] = (),
    ) -> None:
        from flip_sdk.mechanisms.aggregate import scaling_from, start
        from flip_sdk.mechanisms.computation import Computation

        self._spec, self._noise, self._asked, self._over_floor = spec, noise, asked, over_floor
        self._parameters = {key: weight.shape for key, weight in parse_graph(graph).parameters.items()}
        bounds = np.array([[feature.low, feature.high] for feature in spec.features], dtype=np.float64).reshape(-1, 2)
        engines = {name: Computation(snapshot, bounds, graph) for name, snapshot in snapshots.items()}
        exact = {name: self._counted(engines[name], snapshots[name]) for name in engines}
        released = self._prepare(exact)
        self.too_small = tuple(sorted(set(engines) - set(released)))
        self._engines = {name: engines[name] for name in released}
        self._state = start(weights)
        self.scaling: Scaling | None = None
        if len(released) >= self._fewest:
            prepared = self._released("prepare", {name: exact[name] for name in released}, released)
            _, self.scaling, self._persons = scaling_from(prepared, spec)

    def round(self, number: int) -> dict[str, float]:
        """One round; returns the numbers that the hub gives for it."""
        from flip_sdk.mechanisms.aggregate import advance

        if isinstance(self._spec.privacy.mechanism, DPSGD):
            released = {name: self._local(name, self._spec.privacy.mechanism) for name in self._engines}
        else:
            released = self._released("train", {name: self._exact(name) for name in self._engines}, {})
        self._state, numbers = advance(self._spec, self._state, released, self._persons, number)
        return numbers

    def weights(self) -> bytes:
        """The trained weights as safetensors."""
        from flip_sdk.mechanisms.aggregate import trained_weights

        return trained_weights(self._state)

    @property
    def _shared(self) -> DistributedNoise | None:
        model = self._spec.privacy.trust_model
        return model if isinstance(model, DistributedNoise) else None

    @property
    def _fewest(self) -> int:
        fewest = max(2, self._shared.honest_of(self._asked)) if self._shared else 1
        return max(fewest, self._spec.min_trusts)

    def _counted(self, engine: Any, snapshot: Snapshot) -> dict[str, Array]:
        weight = prepare.weight_of_count(self._spec)
        if self._spec.privacy.scaling == "dp_statistics":
            return dict(engine.statistics(weight))
        return {"persons": np.array([weight * snapshot.count])}

    def _prepare(self, exact: Mapping[str, Tensors]) -> dict[str, dict[str, Array]]:
        """Noisy ``prepare`` of every Trust that is over its floor; with shared noise its own count alone."""
        weight, scale = prepare.weight_of_count(self._spec), self._deviation("prepare")
        own = self._multiplier("floor") if self._shared else scale / weight
        released = {}
        for name, tensors in exact.items():
            if self._shared:
                noisy = {"persons": self._noise.gaussian(tensors["persons"] / weight, own)}
            else:
                noisy = {key: self._noise.gaussian(value, scale) for key, value in tensors.items()}
                noisy["persons"] = noisy["persons"] / weight
            if name in self._over_floor:
                noisy["persons"] = np.maximum(noisy["persons"], FLOOR)
                released[name] = noisy
            elif noisy["persons"][0] >= gaussian_threshold(FLOOR, own * self._noise.loudness):
                released[name] = noisy
        return released

    def _released(self, step: str, exact: Mapping[str, Tensors], noisy: Mapping[str, Tensors]) -> dict[str, Prepared]:
        """What the hub reads: each Trust's numbers, or with shared noise their sum alone."""
        from flip_sdk.mechanisms.aggregate import Prepared

        multiplier = self._multiplier(step) * self._noise.loudness
        if self._shared:
            return {ALL: Prepared(self._sum(step, exact), multiplier * math.sqrt(len(exact)))}
        if not noisy:
            scale = self._deviation(step)
            noisy = {n: {k: self._noise.gaussian(v, scale) for k, v in one.items()} for n, one in exact.items()}
        return {name: Prepared(tensors, multiplier) for name, tensors in noisy.items()}

    def _sum(self, step: str, exact: Mapping[str, Tensors]) -> dict[str, Array]:
        """The secure sum, but for its masks: integers with every Trust's share of the noise."""
        from flip_sdk.secure_sum.layout import layout_of
        from flip_sdk.secure_sum.vector import flatten, unflatten

        layout = layout_of(self._spec, step, self._parameters)
        encoding = layout.encoding
        deviation = encoding.deviation(self._multiplier(step))
        vectors = [encoding.encode(flatten(dict(one), layout.shapes)) for one in exact.values()]
        parts = [self._noise.share(vector, deviation) for vector in vectors]
        tensors = dict(unflatten(encoding.decode(np.sum(parts, axis=0)), layout.shapes))
        if step == "prepare":
            tensors["persons"] = tensors["persons"] / prepare.weight_of_count(self._spec)
        return tensors

    def _exact(self, name: str) -> Tensors:
        from flip_sdk.mechanisms.aggregate import current_weights

        engine, mechanism, loss = self._engines[name], self._spec.privacy.mechanism, self._spec.loss
        if isinstance(mechanism, FullBatch):
            return engine.gradient(current_weights(self._state), self.scaling, loss, mechanism.max_grad_norm)
        return engine.sufficient_statistics(self.scaling, loss)

    def _local(self, name: str, mechanism: DPSGD) -> Prepared:
        from safetensors.numpy import load

        from flip_sdk.mechanisms.aggregate import Prepared, correction_for, current_weights
        from flip_sdk.mechanisms.computation import Descent

        drifts = isinstance(mechanism.aggregation, Scaffold)
        content = correction_for(self._state, name) if drifts else None
        multiplier = self._multiplier("train") * self._noise.loudness
        descent = Descent(mechanism, multiplier, self._persons[name], load(content) if content else {})
        weights = current_weights(self._state)
        return Prepared(self._engines[name].dp_sgd(weights, self.scaling, self._spec.loss, descent), multiplier)

    def _multiplier(self, step: str) -> float:
        from flip_sdk.accounting.calibrate import event_for

        event = event_for(self._spec, step, self._asked)
        found: float = getattr(event, "noise_multiplier")  # noqa: B009 - every event of a training job has one
        return found

    def _deviation(self, step: str) -> float:
        """Of one Trust's noise, in the units of what it releases."""
        from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS

        if step == "prepare":
            return self._multiplier(step) * prepare.sensitivity(self._spec)
        mechanism = self._spec.privacy.mechanism
        bound = mechanism.max_grad_norm if isinstance(mechanism, FullBatch) else SENSITIVITY_OF_STATISTICS
        return self._multiplier(step) * bound
