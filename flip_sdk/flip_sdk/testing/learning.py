"""What the played Trusts compute: real gradients, counts and figures of made-up patients, without any noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from flip_sdk.contract.api import TrustFigures
from flip_sdk.contract.calibration import Calibration
from flip_sdk.contract.jobs import EvaluateSpec, FullBatch, Scaling, TrainSpec
from flip_sdk.testing.trusts import FLOOR, FakeTrust

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def persons_of(trust: FakeTrust, spec: TrainSpec | EvaluateSpec) -> tuple[np.ndarray, np.ndarray]:
    """Raw features (persons × features) and labels of the job's part of the cohort."""
    patients = trust.patients
    chosen = patients.select(spec.cohort) & patients.part(spec.project_id, spec.part)
    return patients.matrix(spec.features)[chosen], patients.labels(spec.label)[chosen]


class Training:
    """Full-batch descent on clipped per-person gradients, with the iterates of the last half averaged.

    Attributes:
        scaling: what the Trusts agreed on.
        weights: after the last round.
    """

    def __init__(self, spec: TrainSpec, graph: bytes, weights: bytes, trusts: Sequence[FakeTrust]) -> None:
        import torch

        from flip_sdk.models import import_model

        data = [persons_of(trust, spec) for trust in trusts]
        rows, labels = np.concatenate([x for x, _ in data]), np.concatenate([y for _, y in data])
        self.scaling = scaling_of(spec, rows)
        scaled = (rows - np.array(self.scaling.shift)) / np.array(self.scaling.scale)
        self._rows, self._labels = torch.tensor(scaled, dtype=torch.float32), torch.tensor(labels)
        self._model = import_model(graph, weights)
        self._spec = spec
        self._current = {name: p.detach().clone() for name, p in self._model.named_parameters()}
        self._kept: list[dict[str, Tensor]] = []
        self._last: dict[str, Tensor] | None = None
        self._change = 0.0

    def round(self, number: int) -> dict[str, float]:
        """One step; returns the numbers that the hub gives for a round."""
        import torch

        asked = self._spec.privacy.mechanism
        mechanism = asked if isinstance(asked, FullBatch) else FullBatch()
        rate = mechanism.learning_rate or 2.0
        gradients = self._per_person()
        norms = torch.sqrt(sum((g.flatten(1) ** 2).sum(1) for g in gradients.values()))  # type: ignore[arg-type]
        factors = (mechanism.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)
        scale = 1.0 / (len(factors) * mechanism.max_grad_norm)
        mean = {name: scale * torch.einsum("n,n...->...", factors, g) for name, g in gradients.items()}
        self._current = {name: w - rate * mean[name] for name, w in self._current.items()}
        if number > self._spec.rounds // 2:
            self._kept.append(self._current)
        if self._last is not None:
            slopes = sum(float(((mean[name] + value) * value).sum()) for name, value in self._last.items())
            self._change -= 0.5 * rate * mechanism.max_grad_norm * slopes
        self._last = mean
        norm = float(torch.sqrt(sum((g**2).sum() for g in mean.values())))  # type: ignore[arg-type]
        return {"gradient_norm": norm, "loss_change": self._change}

    def weights(self) -> bytes:
        """The averaged weights as safetensors."""
        import torch
        from safetensors.torch import save

        kept = self._kept or [self._current]
        averaged = {name: torch.stack([one[name] for one in kept]).mean(0).contiguous() for name in self._current}
        constants = {name: buffer.contiguous() for name, buffer in self._model.named_buffers()}
        return save({**constants, **averaged})

    def _per_person(self) -> dict[str, Tensor]:
        import torch
        from torch.func import functional_call, grad, vmap

        from flip_sdk.models.losses import LOSSES

        loss = LOSSES[self._spec.loss]

        def one(weights: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
            return loss(functional_call(self._model, weights, (row.unsqueeze(0),)), label)

        per_person = vmap(grad(one), in_dims=(None, 0, 0), randomness="different")
        with torch.enable_grad():
            gradients: dict[str, Tensor] = per_person(self._current, self._rows, self._labels)
        return gradients


def scaling_of(spec: TrainSpec, rows: np.ndarray) -> Scaling:
    """Means and spreads of the rows, or the public bounds' middle and half range."""
    low, high = np.array([f.low for f in spec.features]), np.array([f.high for f in spec.features])
    if spec.privacy.scaling == "public_bounds":
        return Scaling(shift=tuple((low + high) / 2), scale=tuple((high - low) / 2))
    spread = np.maximum(rows.std(0), (high - low) * 1e-3)
    return Scaling(shift=tuple(rows.mean(0)), scale=tuple(spread))


def figures(spec: EvaluateSpec, graph: bytes, weights: bytes, trusts: Sequence[FakeTrust]) -> tuple[TrustFigures, ...]:
    """Accuracy and AUC of the model at each Trust, and of all together."""
    from flip_sdk.models import import_model

    model = import_model(graph, weights)
    scored = []
    for trust in trusts:
        rows, labels = persons_of(trust, spec)
        scaling = spec.scaling or Scaling(shift=(0.0,) * rows.shape[1], scale=(1.0,) * rows.shape[1])
        scaled = (rows - np.array(scaling.shift)) / np.array(scaling.scale)
        scored.append((trust.name, _scores(model, scaled), labels))
    pooled = ("all", np.concatenate([s for _, s, _ in scored]), np.concatenate([y for _, _, y in scored]))
    return tuple(_figures(spec, *one) for one in (*scored, pooled))


def _scores(model: torch.nn.Module, rows: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        logits = model(torch.tensor(rows, dtype=torch.float32))
    positive = logits[:, 0].sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)[:, 1]
    scores: np.ndarray = positive.numpy().astype(np.float64)
    return scores


def _figures(spec: EvaluateSpec, name: str, scores: np.ndarray, labels: np.ndarray) -> TrustFigures:
    n, sick = len(labels), int(labels.sum())
    if n < FLOOR:
        return TrustFigures(trust=name, suppressed=True)
    accuracy = float(((scores > 0.5) == labels).mean())
    area = area_under_curve(scores, labels)
    # standard error of an AUC: Hanley and McNeil, Radiology 143 (1982) 29
    q1, q2 = (area / (2 - area), 2 * area**2 / (1 + area)) if area is not None else (0.0, 0.0)
    spread = None
    if area is not None:
        variance = area * (1 - area) + (sick - 1) * (q1 - area**2) + (n - sick - 1) * (q2 - area**2)
        spread = float(np.sqrt(max(variance, 0.0) / (sick * (n - sick))))
    return TrustFigures(
        trust=name,
        persons=n,
        accuracy=accuracy,
        accuracy_error=float(np.sqrt(accuracy * (1 - accuracy) / n)),
        auc=area,
        auc_error=spread,
        majority=max(sick, n - sick) / n,
        calibration=_calibration(spec, scores, labels),
    )


def _calibration(spec: EvaluateSpec, scores: np.ndarray, labels: np.ndarray) -> Calibration | None:
    from flip_sdk.mechanisms.aggregate.calibration import calibration
    from flip_sdk.mechanisms.aggregate.figures import noise_variance

    cells = [np.histogram(scores[labels == label], spec.bins, (0.0, 1.0))[0] for label in (0, 1)]
    return calibration(np.stack(cells).astype(np.float64), noise_variance(spec.epsilon))


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """How often a person with the label scores above one without; ties count half. None where one kind is missing."""
    sick, well = scores[labels == 1], scores[labels == 0]
    if not (len(sick) and len(well)):
        return None
    higher = (sick[:, None] > well[None, :]).mean() + 0.5 * (sick[:, None] == well[None, :]).mean()
    return float(higher)
