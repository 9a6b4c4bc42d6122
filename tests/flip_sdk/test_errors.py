"""Each error says what to do next: read off the source, and tried with the mistakes of a newcomer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flip_sdk.testing import FakeHub
from torch import nn

import flip_sdk as flip
from flip_sdk import errors

SOURCES = Path(errors.__file__).parent
KINDS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, flip.PublicError)
}
BY_THEMSELVES = {"RecordError", "SpecError", "ExtraMissingError"} | {n for n, kind in KINDS.items() if kind.usual_mend}
"""These bring what to do next: of their violations, their extra, or their kind."""
SAID_IN_THE_MESSAGE = "contract/filling.py"
"""A form's violations are what to do: "Say which data are asked, and why." """


def calls(names: set[str]) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{path.relative_to(SOURCES).as_posix()}:{node.lineno}", node


def test_every_error_says_what_to_do_next() -> None:
    silent = [
        where
        for where, call in calls(set(KINDS) - BY_THEMSELVES)
        if len(call.args) < 2
        and not any(isinstance(argument, ast.Starred) for argument in call.args)
        and "mend" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []


def test_every_violation_says_what_to_do_next() -> None:
    silent = [
        where
        for where, call in calls({"Violation"})
        if not {"mend", None} & {keyword.arg for keyword in call.keywords} and SAID_IN_THE_MESSAGE not in where
    ]
    assert silent == []


def linear(inputs: int = 8) -> nn.Module:
    return nn.Linear(inputs, 1)


MISTAKES: dict[str, Callable[[flip.Project], object]] = {
    "a_concept_typed_wrongly": lambda p: p.count(flip.Cohort(flip.has_condition("malignent"))),
    "a_word_for_a_cohort": lambda p: p.count("malignant"),  # type: ignore[arg-type]
    "no_epsilon": lambda p: p.count(epsilon=0),
    "too_much": lambda p: p.count(epsilon=99),
    "a_trust_typed_wrongly": lambda p: p.count(trusts=["aldgat"]),
    "ages_turned_round": lambda p: p.count(flip.Cohort(flip.age_between(70, 40))),
    "nobody_is_in_it": lambda p: p.mean("mean radius", cohort=flip.Cohort(flip.age_between(40, 40))),
    "a_word_for_a_grouping": lambda p: p.cross_table("sex"),  # type: ignore[arg-type]
    "a_condition_measured": lambda p: p.histogram("malignant"),
    "no_features": lambda p: p.train(linear(), label="malignant"),
    "no_label": lambda p: p.train(linear(), features=["mean radius"], label=None),  # type: ignore[arg-type]
    "a_class_for_a_model": lambda p: p.train(nn.Linear, features=["mean radius"], label="malignant"),  # type: ignore[arg-type]
    "a_word_for_a_model": lambda p: p.train("net", features=["mean radius"], label="malignant"),  # type: ignore[arg-type]
    "a_first_layer_too_wide": lambda p: p.train(linear(3), features=["mean radius"], label="malignant"),
    "batch_norm": lambda p: p.train(
        nn.Sequential(nn.BatchNorm1d(1), linear(1)), features=["mean radius"], label="malignant"
    ),
    "a_number_for_privacy": lambda p: p.train(linear(1), features=["mean radius"], label="malignant", privacy=3),  # type: ignore[arg-type]
    "a_mechanism_typed_wrongly": lambda _: flip.Privacy(mechanism="dpsgd"),
    "no_rounds": lambda p: p.train(linear(1), features=["mean radius"], label="malignant", rounds=0),
    "a_job_that_is_not": lambda p: p.job("job-99"),
    "a_model_of_a_count": lambda p: p.evaluate("job-1"),
    "no_notebook": lambda p: p.publish("nowhere.ipynb", name="report"),
    "no_file": lambda p: p.release("nowhere.csv", purpose="A table."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_newcomers_mistakes_are_told_with_their_mend(project: flip.Project, mistake: str) -> None:
    with pytest.raises(flip.PublicError) as caught:
        MISTAKES[mistake](project)
    error = caught.value
    mends = [one.mend or one.message for one in error.violations] if isinstance(error, flip.SpecError) else [error.mend]
    assert mends
    assert all(mends)


def test_one_name_alone_is_no_list_of_letters(project: flip.Project, fake_hub: FakeHub) -> None:
    assert project.count(flip.has_condition("malignant"), trusts="aldgate").height == 2
    job = project.train(linear(1), features="mean radius", label="malignant")
    assert len(fake_hub.jobs[job.id].spec.features) == 1


def test_limits_are_told_without_the_value() -> None:
    with pytest.raises(flip.RecordError) as caught:
        flip.Privacy(epsilon=-987.0)
    assert "987" not in str(caught.value)
    assert "more than 0" in caught.value.message


def test_a_notebook_shows_words_and_the_cells_line() -> None:
    code = compile("1\n\nfail()", "/tmp/ipykernel_1/2.py", "exec")

    def fail() -> None:
        raise flip.NotFoundError("There is nothing.", "Look elsewhere.")

    with pytest.raises(flip.NotFoundError) as caught:
        exec(code, {"fail": fail})
    first, then = caught.value._render_traceback_()
    assert "(line 3 of the cell): There is nothing." in first
    assert then == "What to do: Look elsewhere."


def test_a_name_typed_wrongly_is_told() -> None:
    with pytest.raises(AttributeError, match="Cohort"):
        flip.Cohrt  # noqa: B018
