"""The report's own words: what was found, what ε means, and what the figures do not tell."""

from __future__ import annotations

from html import escape
from math import exp
from typing import Protocol

from flip_sdk.contract.api import JobResult
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import widest


class Shown(Protocol):
    """What a notebook shows by itself."""

    def _repr_html_(self) -> str: ...


class Words:
    """Paragraphs that show themselves in a notebook."""

    def __init__(self, *paragraphs: str) -> None:
        self.paragraphs = paragraphs

    def _repr_html_(self) -> str:
        return "".join(f'<p style="max-width:46em">{escape(text)}</p>' for text in self.paragraphs)

    def __repr__(self) -> str:
        return "\n\n".join(self.paragraphs)


class Parts:
    """Several things that show themselves, one after the other."""

    def __init__(self, *parts: Shown) -> None:
        self.parts = parts

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.parts))


def summary(results: Results) -> Words:
    """What was found, in a few sentences."""
    if not results:
        return Words("No result is published with this page yet.")
    told = []
    for result in results.of("train"):
        told.append(
            f"A model was trained at {len(result.trusts)} Trusts ({', '.join(result.trusts)}) in {_rounds(result)} "
            f"rounds. No record left its Trust; each round only noisy numbers did."
        )
    evaluations = results.of("evaluate")
    main = widest(evaluations)
    if main is not None:
        everyone = next((f for f in main.figures if f.trust == "all"), None)
        if everyone and everyone.accuracy is not None and everyone.majority is not None:
            auc = "" if everyone.auc is None else f", with an AUC of {everyone.auc:.3f}"
            if everyone.balanced_accuracy is not None:
                auc = f", and in {everyone.balanced_accuracy:.1%} of a class on average"
            told.append(
                f"On persons it had not seen, it was right in {everyone.accuracy:.1%} of cases{auc}. "
                f"Always giving the more frequent answer would be right in {everyone.majority:.1%}."
            )
    if len(evaluations) > 1:
        told.append(f"It was scored {len(evaluations)} times in all; this was the time that is about the most persons.")
    refused = {f"{r.trust} ({r.words})" for result in results for r in result.refusals}
    if refused:
        told.append(f"Did not take part: {'; '.join(sorted(refused))}.")
    return Words(*told or ("The published results hold neither a training nor an evaluation.",))


def what_epsilon_means(results: Results) -> Words:
    """ε in plain words, with this page's own numbers."""
    asked = [(result.epsilon, result.delta) for result in results.of("train")] or [(3.0, 1e-5)]
    epsilon, delta = max(asked)
    sure = exp(epsilon) / (1 + exp(epsilon))
    but = f", but for a chance of at most {delta:g} (δ)" if delta else ""
    return Words(
        "Every number on this page was made noisy on purpose, so that nobody can tell from it whether a given person "
        "was among the patients. ε (epsilon) says how well that works: leaving anybody out could have made any "
        "outcome at most e^ε times more or less likely. "
        f"For the training here ε is {epsilon:g} at each Trust{but}.",
        "In the very worst case, somebody who knows everything else about everybody, and who would otherwise toss a "
        f"coin about whether you were in the data, could come to be {sure:.0%} sure. That is a ceiling, no forecast: "
        "the smaller ε, the nearer to the coin. Costs add up, so every Trust keeps a ledger and a budget.",
        *_on_whom_it_depends(results),
    )


def limits(results: Results) -> Words:
    """What the figures do not tell."""
    trusts = len(results.trusts)
    described = f"{trusts or 'no'} Trust{'' if trusts == 1 else 's'}"
    return Words(
        f"The figures come from {described}, from what was recorded in the past; a model may do worse elsewhere, later "
        "or for groups of people who are rare here. Intervals are for chance and noise, not for errors in the records. "
        "A research result is not a medical device: it must not guide anybody's care.",
    )


def _on_whom_it_depends(results: Results) -> list[str]:
    return [
        f"In job {result.job_id} the Trusts shared the noise, and the hub saw nothing but their sums. So its ε holds "
        f"as long as {result.min_honest} of the Trusts are honest; if all but one worked with the hub against the "
        f"patients of that one, it would be {result.epsilon_alone:.3g} for them."
        for result in results.of("train")
        if result.epsilon_alone is not None
    ]


def _rounds(result: JobResult) -> int:
    return sum(1 for row in result.history if row.get("round"))
