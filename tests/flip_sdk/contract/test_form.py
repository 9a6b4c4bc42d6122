"""The application's form: one definition that fits the record, takes what is typed, and says all that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from flip_sdk.contract.applications import Application, DataAsked, PlannedOutput, Reference
from flip_sdk.contract.filling import posted, problems_of, raw_of, read
from flip_sdk.contract.form import FIELDS, SECTIONS, fields

ENDS = datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC)
BACKWARDS = Reference(granted_on=date(2026, 1, 2), expires_on=date(2026, 1, 1))
COMPLETE: dict[str, Any] = {
    "title": "Breast cytology",
    "lay_summary": "Can a model tell malignant from benign cells?",
    "public_benefit": "Fewer people wait for a diagnosis they need.",
    "technical_summary": "A logistic regression on nuclear features.",
    "request_category": "efficacy",
    "organisation": "Northbridge University",
    "sector": "academic",
    "team": ("alan",),
    "funders": ("A council, 12", "A charity"),
    "references": (Reference(kind="rec", number="24/LO/1", granted_on=date(2026, 1, 2), expires_on=date(2029, 1, 1)),),
    "article_6": "6_1_e",
    "article_9": "9_2_j",
    "confidentiality": "not_engaged",
    "opt_out": "applied",
    "sensitivity": "de_personalised",
    "trusts": ("aldgate",),
    "data": (DataAsked(trust="aldgate", what="Cytology", why="To train on", domains=("measurements", "images")),),
    "epsilon": 2.5,
    "delta": 1e-6,
    "expires_at": ENDS,
    "planned_outputs": (PlannedOutput(kind="model", audience="publication", description="One model"),),
}


def _application(**changes: Any) -> Application:
    return Application(**(COMPLETE | changes))


def test_the_form_has_every_field_of_the_record_and_no_other() -> None:
    assert set(FIELDS) == set(Application.model_fields)
    for name, record in (("data", DataAsked), ("planned_outputs", PlannedOutput), ("references", Reference)):
        assert [part.name for part in FIELDS[name].parts] == list(record.model_fields)
    assert [section.title.split()[0] for section in SECTIONS] == ["Safe"] * 5


def test_every_choice_fits_the_record() -> None:
    for field in FIELDS.values():
        for value, _ in field.choices if field.kind == "choice" else ():
            assert getattr(_application(**{field.name: value}), field.name) == value


def test_who_reads_what() -> None:
    public, trusts = ({field.name for field in fields(reader)} for reader in ("public", "trusts"))
    assert public < trusts < set(FIELDS)
    assert "compute" not in trusts
    assert "team" not in public


def test_a_complete_application_has_no_problem_and_is_read_back_as_it_was() -> None:
    application = _application()
    assert problems_of(application) == ()
    assert read(raw_of(application), application).application == application


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"lay_summary": "Short"}, "lay_summary"),
        ({"trusts": ("aldgate", "brookfield")}, "data"),
        ({"trusts": ("brookfield",)}, "data-0-trust"),
        ({"data": (DataAsked(trust="aldgate", what="Cytology"),)}, "data-0-why"),
        ({"confidentiality": "section_251"}, "references"),
        ({"linkage": "external"}, "linkage_description"),
        ({"references": (BACKWARDS,)}, "references-0-expires_on"),
    ],
)
def test_a_rule_that_is_broken_names_its_field(changes: dict[str, Any], where: str) -> None:
    assert where in {problem.where for problem in problems_of(_application(**changes))}


def test_what_is_not_valid_is_told_and_the_rest_is_taken() -> None:
    typed = raw_of(_application()) | {"epsilon": "-1", "delta": "small", "expires_at": "soon", "gpus": "2", "title": ""}
    filled = read(typed, _application(title="Before"))
    assert {problem.where for problem in filled.problems} == {"epsilon", "delta", "expires_at", "title"}
    assert (filled.application.epsilon, filled.application.title) == (2.5, "Before")
    assert (filled.application.expires_at, filled.application.gpus) == (ENDS, 2)


def test_dates_may_be_typed_as_people_write_them() -> None:
    for text in ("2030-12-31", "31/12/2030", "31 December 2030"):
        assert read(raw_of(_application()) | {"expires_at": text}, _application()).application.expires_at == ENDS


def test_a_browser_sends_entries_part_by_part() -> None:
    sent = posted(_application())
    assert sent["data-0-domains"] == ["measurements", "images"]
    assert (sent["team"], sent["funders"], sent["expires_at"]) == (["alan"], "A council, 12\nA charity", "2030-12-31")


def test_an_application_that_was_stored_before_the_form_was_whole_still_parses() -> None:
    stored = (
        '{"delta":0.00001,"epsilon":10,"expires_at":"2030-12-31T23:59:59Z","job_kinds":["count"],"lay_summary":"x",'
        '"legal_basis":"Article 6","organisation":"N","planned_outputs":"One model","public_benefit":"y","team":[],'
        '"title":"Old","trusts":["aldgate"]}'
    )
    application = Application.parse(stored)
    assert [one.description for one in application.planned_outputs] == ["One model"]
    assert Application.parse(stored.replace('"One model"', '""')).planned_outputs == ()


def test_the_first_approval_that_is_needed_ends_a_project() -> None:
    references = (
        Reference(kind="hra", expires_on=date(2027, 1, 1)),
        Reference(kind="rec", expires_on=date(2028, 1, 1), needed=True),
        Reference(kind="dpia", needed=True),
    )
    assert _application().ends_at == ENDS
    assert _application(references=references).ends_at == datetime(2028, 1, 1, 23, 59, 59, tzinfo=UTC)
