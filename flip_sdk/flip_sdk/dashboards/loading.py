"""Released results, read from the files beside a published notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, StatisticsSpec, TrainSpec
from flip_sdk.image_words import words_of

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

_ORDER = {"count": 0, "statistics": 1, "train": 2, "evaluate": 3}


class Results(Sequence[JobResult]):
    """Released results, counts first, then answers, trainings and evaluations; of each kind the earliest first."""

    def __init__(self, results: Sequence[JobResult]) -> None:
        self._results = tuple(sorted(results, key=_place))

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: int) -> JobResult:  # type: ignore[override]
        return self._results[index]

    def __iter__(self) -> Iterator[JobResult]:
        return iter(self._results)

    def of(self, kind: str) -> tuple[JobResult, ...]:
        """The results of one kind: ``count``, ``train`` or ``evaluate``."""
        return tuple(result for result in self._results if result.kind == kind)

    @property
    def trusts(self) -> tuple[str, ...]:
        """Every Trust that took part in any of them, by name."""
        return tuple(sorted({trust for result in self._results for trust in result.trusts}))

    def provenance(self) -> Frame:
        """One row a job: what was asked, of whom, at what cost, and which model by content."""
        from flip_sdk.frames import frame

        schema = {
            **dict.fromkeys(("job", "kind", "asked", "shown", "trusts", "refused"), str),
            **dict.fromkeys(("epsilon", "delta"), float),
            **dict.fromkeys(("model", "spec"), str),
        }
        return frame([_row(result) for result in self._results], schema, "Jobs behind this page")


def load_results(folder: str | Path = "jobs") -> Results:
    """The results published with this notebook; none when there is no such folder.

    Args:
        folder: holds one ``<job id>.json`` a result.

    Raises:
        RecordError: a file is not a result.
    """
    files = sorted(Path(folder).glob("*.json"))
    return Results([JobResult.parse(file.read_bytes()) for file in files])


def _place(result: JobResult) -> tuple[int, float, str]:
    ended = result.completed_at.timestamp() if result.completed_at else 0.0
    return _ORDER[result.kind], ended, result.job_id


def _row(result: JobResult) -> dict[str, object]:
    spec = result.spec
    return {
        "job": result.job_id,
        "kind": result.kind,
        "asked": _asked(spec),
        "shown": _shown(spec) if isinstance(spec, TrainSpec | EvaluateSpec) else "",
        "trusts": ", ".join(result.trusts),
        "refused": "; ".join(f"{r.trust}: {r.words}" for r in result.refusals),
        "epsilon": result.epsilon,
        "delta": result.delta,
        "model": _short(result.model.weights) if result.model else "",
        "spec": _short(spec.digest()) if spec else _short(result.provenance.get("spec", "")),
    }


def _asked(spec: AnySpec | None) -> str:
    if isinstance(spec, TrainSpec):
        mechanism = spec.privacy.mechanism.kind.replace("_", " ")
        return f"{spec.rounds} rounds, {mechanism}, {spec.loss.replace('_', ' ')}, label {spec.label.name or '?'}"
    if isinstance(spec, EvaluateSpec):
        return f"label {spec.label.name or '?'}"
    return spec.question.kind.replace("_", " ") if isinstance(spec, StatisticsSpec) else ""


def _shown(spec: TrainSpec | EvaluateSpec) -> str:
    """What a model is shown of a person: how many numbers, and images with all that is done to them."""
    count = len(spec.features)
    parts = [f"{count} number{'s' if count > 1 else ''}"] if count else []
    return "; ".join([*parts, words_of(spec.images)] if spec.images else parts)


def _short(address: str) -> str:
    return address.removeprefix("sha256:")[:12]
