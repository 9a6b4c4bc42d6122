from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from flip_sdk.contract.circe import CohortExpression
from flip_sdk.contract.cohorts import Cohort
from flip_trust.cohort.members import members
from flip_trust.cohort.omop import Omop
from flip_trust.ingest import omop, periods
from flip_trust.ingest.fhir.load import load

from tests.trust.ingest import samples
from tests.trust.ingest.samples import tables
from tests.trust.ingest.test_optouts import NOW, PERSON

TODAY = date(2025, 6, 1)
VISITS = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_type_concept_id\n"
PERIODS = (
    "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id\n"
)


@pytest.fixture
def load_tables(home, tmp_path):
    def write(**texts: str):
        folder = tmp_path / "cdm"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.csv").write_text(text)
        return omop.load(home, folder)

    return write


def spans(home) -> dict[int, tuple[str, str, int]]:
    rows = tables(home)["observation_period"].sort("person_id").rows()
    return {person: (str(start), str(end), kind) for _, person, start, end, kind in rows}


def people(count: int) -> str:
    return PERSON + "".join(f"{n},2000000201,1970,0,0,X-{n}\n" for n in range(1, count + 1))


def test_a_period_spans_what_is_recorded_and_the_sources_own_stays(home, load_tables):
    report = load_tables(
        person=people(4),
        visit_occurrence=VISITS + "1,1,0,2020-01-01,2020-01-03,0\n2,1,0,2022-05-01,2022-05-01,0\n"
        "3,2,0,2020-01-01,2020-01-03,0\n4,3,0,2021-01-01,2021-02-01,0\n",
        observation_period=PERIODS + "7,2,2010-01-01,2024-12-31,44814724\n",
        death="person_id,death_date\n3,2021-01-20\n",
    )

    assert spans(home) == {
        1: ("2020-01-01", "2022-05-01", 32882),
        2: ("2010-01-01", "2024-12-31", 44814724),
        3: ("2021-01-01", "2021-01-20", 32882),
    }
    assert dict(report.periods) == {
        "derived, from the first record to the last": 2,
        "as the source gives them": 1,
        "none: nothing is recorded of them": 1,
    }


def test_a_source_that_gives_a_period_later_replaces_the_derived_one(home, load_tables):
    visits = VISITS + "1,1,0,2020-01-01,2020-01-03,0\n"
    load_tables(person=people(1), visit_occurrence=visits)
    load_tables(observation_period=PERIODS + "7,1,2010-01-01,2024-12-31,44814724\n")

    assert spans(home) == {1: ("2010-01-01", "2024-12-31", 44814724)}


def test_nobody_is_observed_after_the_first_of_two_deaths(home, load_tables):
    count = 500
    days = {person: f"2021-01-{1 + person % 20:02}" for person in range(1, count + 1)}
    visits = "".join(f"{person},{person},0,2020-01-01,2022-01-01,0\n" for person in days)
    load_tables(person=people(count), visit_occurrence=VISITS + visits)
    deaths = [{"person_id": person, "death_date": date.fromisoformat(day)} for person, day in days.items()]
    later = [row | {"death_date": date(2021, 6, 1)} for row in deaths]
    pl.DataFrame(later + deaths).write_parquet(home / "omop" / "death.parquet")
    periods.derive(home, today=TODAY)

    assert {person: end for person, (_, end, _) in spans(home).items()} == days


def test_days_of_the_future_and_before_birth_do_not_count(home, load_tables):
    load_tables(
        person=people(1),
        visit_occurrence=VISITS + "1,1,0,1900-01-01,2020-01-03,0\n2,1,0,2020-02-01,2099-01-01,0\n",
    )
    periods.derive(home, today=TODAY)

    assert spans(home) == {1: ("2020-01-03", "2020-02-01", 32882)}


def test_deriving_again_changes_no_byte_and_a_new_record_lengthens_it(home, load_tables):
    load_tables(person=people(2), visit_occurrence=VISITS + "1,1,0,2020-01-01,2020-01-03,0\n")
    path = home / "omop" / "observation_period.parquet"
    before = path.read_bytes()
    periods.derive(home)
    assert path.read_bytes() == before
    load_tables(visit_occurrence=VISITS + "1,1,0,2020-01-01,2020-01-03,0\n2,1,0,2023-01-01,2023-01-02,0\n")

    assert spans(home) == {1: ("2020-01-01", "2023-01-02", 32882)}


def test_tables_that_did_not_change_are_not_read_again(home, load_tables, monkeypatch):
    load_tables(person=people(1), visit_occurrence=VISITS + "1,1,0,2020-01-01,2020-01-03,0\n")
    before = spans(home)
    with monkeypatch.context() as patched:
        patched.setattr(periods, "_spans", None)
        assert periods.derive(home) == 1
    (home / "omop" / periods.STAMP).write_text("half a fi")
    assert periods.derive(home) == 1
    (home / "omop" / "observation_period.parquet").unlink()
    assert periods.derive(home) == 1
    assert spans(home) == before


def test_an_expression_finds_who_came_by_fhir(with_vocabulary, tmp_path):
    load(with_vocabulary, samples.bundle(tmp_path / "b.json", *samples.RESOURCES))
    expression = CohortExpression.model_validate(
        {
            "ConceptSets": [
                {"id": 0, "name": "d", "expression": {"items": [{"concept": {"CONCEPT_ID": samples.DIABETES}}]}}
            ],
            "PrimaryCriteria": {
                "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
                "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
                "PrimaryCriteriaLimit": {"Type": "First"},
            },
        }
    )
    table = Omop(with_vocabulary / "omop")

    assert pl.Series(members(Cohort(expression=expression), "all", "p", table, NOW)["person_id"]).len() == 1
