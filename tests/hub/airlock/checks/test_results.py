from __future__ import annotations

import pytest
from flip_hub.airlock.checks import KnownResult, Past
from flip_hub.airlock.checks.results import chance, recognised
from flip_hub.airlock.checks.tables import cell_of
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.statistics import Estimate

from tests.hub.airlock.checks.conftest import Checking, found, notes, rules

RESULT = KnownResult(job="job-1", epsilon=0.5, numbers=(1243.73, 981.2, 3.4171, 55.0, 0.4371))


@pytest.fixture
def past(past: Past) -> Past:
    return past.model_copy(update={"results": (RESULT,)})


def test_a_table_of_noisy_numbers_passes_and_says_which_job_they_are_of(check: Checking, past: Past) -> None:
    examined = check({"a.csv": "sex,persons,share\nwomen,1243.73,43.7%\nmen,981,3.4171\n"}, past=past)["a.csv"]

    assert (examined.verdict, found(examined, "result.all_numbers").numbers["epsilon"]) == ("pass", 0.5)


def test_a_number_that_is_in_no_result_takes_the_pass_away(check: Checking, past: Past) -> None:
    examined = check({"a.csv": "sex,persons,died\nwomen,1243.73,3\nmen,981.2,4\n"}, past=past)["a.csv"]

    assert "table.small_count" in rules(examined)
    assert "result.some_numbers" in notes(examined)


def test_small_whole_numbers_may_be_there_by_chance_and_prove_nothing(check: Checking, past: Past) -> None:
    digits = past.model_copy(update={"results": (RESULT.model_copy(update={"numbers": (3.0, 4.0, 7.0)}),)})

    assert "table.small_count" in rules(check({"a.csv": "sex,persons\nwomen,3\nmen,4\n"}, past=digits)["a.csv"])


def test_only_the_jobs_that_the_statement_names_are_compared(check: Checking, past: Past) -> None:
    table = {"a.csv": "sex,value\nwomen,1243.73\nmen,3.4171\n"}

    assert "result.no_numbers" in notes(check(table, {"a.csv": {"jobs": ("job-2",)}}, past)["a.csv"])


def test_numbers_are_recognised_as_they_are_written() -> None:
    cells = [cell_of(word) for word in ("1,243.7", "1244", "3.42", "43.71%", "3.43")]

    assert recognised(cells, RESULT) == [True, True, True, True, False]
    assert chance(cells, RESULT) < 1e-9


def test_a_jobs_result_gives_its_numbers_without_its_rounds() -> None:
    result = JobResult(
        job_id="job-1",
        kind="statistics",
        trusts=("a",),
        refusals=(),
        epsilon=0.5,
        delta=1e-6,
        counts={"a": 120, "b": None},
        statistics=(Estimate(trust="all", quantity="persons", estimate=981.25, standard_error=3.5),),
        history=({"round": 7, "loss": 0.25, "trusts": 2},),
    )
    known = KnownResult.of(result)

    assert (known.job, known.epsilon, set(known.numbers)) == ("job-1", 0.5, {120.0, 981.25, 3.5, 0.25})
