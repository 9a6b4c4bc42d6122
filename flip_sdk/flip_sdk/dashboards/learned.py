"""Whom a model learned from, where and when: what its card says first."""

from __future__ import annotations

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import TrainSpec
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import Names, group_of, named
from flip_sdk.dashboards.words import Words


def learned_from(results: Results, names: Names | None = None) -> Words:
    """Whom the models on the page learned from: a paragraph for each training.

    Args:
        results: of the page.
        names: of concepts that the rules name, by number.
    """
    trained = [result for result in results.of("train") if isinstance(result.spec, TrainSpec)]
    if not trained:
        return Words("No training is among the published results.")
    return Words(*(_told(result, named(results, names)) for result in trained))


def _told(result: JobResult, names: Names) -> str:
    spec = result.spec
    assert isinstance(spec, TrainSpec)
    when = f", {result.completed_at:%B %Y}" if result.completed_at else ""
    mechanism = spec.privacy.mechanism.kind.replace("_", " ")
    numbers = [row["persons"] for row in result.history if "persons" in row]
    many = f" They were about {numbers[-1]:,.0f}." if numbers else ""
    return (
        f"{group_of(result, names)} They are of {', '.join(result.trusts)} (job {result.job_id}{when}), and were "
        f"learned from in {spec.rounds} rounds by {mechanism}.{many}"
    )
