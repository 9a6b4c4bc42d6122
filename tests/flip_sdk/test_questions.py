from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.statistics import Histogram
from flip_sdk.testing import FakeHub, FakeTrust, synthetic_patients
from flip_sdk.testing.patients import BENIGN, MALIGNANT

import flip_sdk as flip


@pytest.fixture
def fake_hub() -> FakeHub:
    """Three Trusts with so many made-up persons that regressions can be told."""
    trusts = [
        FakeTrust(name, synthetic_patients(persons, 0.4, seed), epsilon=500)
        for seed, (name, persons) in enumerate((("aldgate", 4000), ("brookfield", 3000), ("carrick", 5)), start=1)
    ]
    hub = FakeHub(trusts)
    hub.view = hub.view.model_copy(update={"application": hub.view.application.model_copy(update={"epsilon": 500.0})})
    return hub


def of(frame, trust: str, **columns: object):
    """The rows of one Trust that have these values."""
    rows = frame.filter(frame["trust"] == trust)
    for name, value in columns.items():
        rows = rows.filter(rows[name] == value)
    return rows


def together(fake_hub, name: str) -> np.ndarray:
    """A column of the two larger Trusts' persons."""
    return np.concatenate([getattr(fake_hub.trusts[t].patients, name) for t in ("aldgate", "brookfield")])


def radius(fake_hub) -> np.ndarray:
    parts = [fake_hub.trusts[t].patients.measurements[2_000_000_001] for t in ("aldgate", "brookfield")]
    return np.concatenate(parts)


def test_a_cross_table(project, fake_hub) -> None:
    table = project.cross_table(flip.by_age(40, 60), flip.by_condition("malignant"))
    ages = together(fake_hub, "ages")

    assert table.columns == ["trust", "age", "condition", "persons", "standard_error", "low", "high", "note"]
    young = of(table, "all", age="under 40")
    assert young["persons"].sum() == (ages < 40).sum()
    assert of(table, "all", age="total")["persons"].item() == 7000
    assert set(of(table, "all", age="unknown")["note"]) == {"small: kept back"}
    (refused,) = of(table, "carrick")["note"]
    assert "floor" in refused


def test_a_description_is_one_job_about_who_a_cohort_is(project, fake_hub) -> None:
    answer = project.describe(flip.Cohort(flip.age_between(40, 90)), ages=(50, 70), epsilon=2.0)
    first = answer.filter(answer["trust"] == answer["trust"][0])

    assert len(project.jobs()) == 1
    assert list(first["group"])[:4] == ["all", "age", "age", "age"]
    assert first["share"][0] == 1.0
    assert {"sex", "condition"} <= set(first["group"])
    having = [n for n in first.filter(first["group"] == "condition")["persons"] if n is not None]
    assert having == sorted(having, reverse=True)
    assert answer.columns[:5] == ["trust", "group", "level", "persons", "share"]
    assert "ε 2" in answer.caption
    assert answer.filter(answer["trust"] == "all").height == first.height
    assert "<table" in answer._repr_html_()


def test_a_description_of_chosen_conditions_asks_for_no_more(project, fake_hub) -> None:
    answer = project.describe(ages=(), sexes=(), conditions=["malignant"])

    assert set(answer["group"].drop_nulls()) == {"all", "condition"}


def test_a_histogram_and_a_cohort(project, fake_hub) -> None:
    table = project.histogram("mean radius", bins=5, cohort=flip.Cohort(flip.has_condition("malignant")), epsilon=3)
    bins = of(table, "aldgate").filter(of(table, "aldgate")["from"].is_not_null())

    assert bins["from"].to_list() == [5, 10, 15, 20, 25]
    malignant = fake_hub.trusts["aldgate"].patients.conditions[MALIGNANT].sum()
    assert of(table, "aldgate", place="total")["persons"].item() == malignant


def test_means_of_several_measurements(project, fake_hub) -> None:
    table = project.mean("mean radius", "mean texture")
    row = of(table, "all", measurement="mean radius")
    values = radius(fake_hub)

    assert of(table, "all")["measurement"].to_list() == ["mean radius", "mean texture"]
    assert row["mean"].item() == pytest.approx(values.mean())
    assert row["standard_deviation"].item() == pytest.approx(values.std())
    assert row["persons"].item() == pytest.approx(7000, abs=0.01)
    assert row["low"].item() < row["mean"].item() < row["high"].item()


def test_quantiles(project, fake_hub) -> None:
    table = project.quantiles("mean radius", probabilities=(0.1, 0.5))

    assert of(table, "all")["probability"].to_list() == [0.1, 0.5]
    assert of(table, "all")["quantile"].to_list() == pytest.approx(
        np.quantile(radius(fake_hub), (0.1, 0.5)), abs=25 / 64
    )


def test_curves_by_group(project) -> None:
    table = project.kaplan_meier(days=1500, intervals=3, by=flip.by_condition("malignant"))
    ill, others = (of(table, "all", group=group)["survival"] for group in ("malignant", "no malignant"))

    assert of(table, "all")["days"].to_list() == [500, 1000, 1500] * 2
    assert (ill < others).all()
    assert ill.to_list() == sorted(ill, reverse=True)


def test_a_start_of_follow_up_narrows_it_to_those_who_have_it(project) -> None:
    table = project.kaplan_meier(days=1500, intervals=2, start="malignant", epsilon=5)

    assert of(table, "all")["survival"].is_not_null().all()
    with pytest.raises(flip.SpecError) as caught:
        project.kaplan_meier("malignant", days=1500, start=["malignant", BENIGN])
    assert "start_is_event" in {violation.rule for violation in caught.value.violations}


def test_a_linear_regression(project, fake_hub) -> None:
    table = project.linear_regression("worst radius", on=["mean radius", flip.by_condition("malignant")], epsilon=5)
    row = of(table, "all", predictor="mean radius")
    patients = [fake_hub.trusts[t].patients for t in ("aldgate", "brookfield")]
    x = np.concatenate(
        [np.column_stack([np.ones(len(p)), p.measurements[2_000_000_001], p.conditions[MALIGNANT]]) for p in patients]
    )
    y = np.concatenate([p.measurements[2_000_000_007] for p in patients])

    assert of(table, "all")["predictor"].to_list() == ["intercept", "mean radius", "malignant"]
    assert row["coefficient"].item() == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0][1], rel=1e-6)
    assert row["standard_error"].item() > 0


def test_ratios_stand_beside_their_logarithms(project) -> None:
    odds = of(project.logistic_regression("malignant", on=["mean texture"], epsilon=5), "all", predictor="mean texture")
    hazard = of(project.cox_regression(on=[flip.by_condition("malignant")], days=2000, epsilon=5), "all")

    assert odds["odds_ratio"].item() == pytest.approx(np.exp(odds["log_odds_ratio"].item()))
    assert hazard["log_hazard_ratio"].item() == pytest.approx(1.2, abs=0.15)
    assert hazard["hazard_ratio_low"].item() < hazard["hazard_ratio"].item() < hazard["hazard_ratio_high"].item()


def test_too_few_persons_are_told_so(project) -> None:
    table = project.logistic_regression("malignant", on=["mean texture"], epsilon=0.05)

    assert set(of(table, "all")["note"]) == {"too noisy to tell"}
    assert of(table, "all")["log_odds_ratio"].is_null().all()


def test_a_question_may_be_asked_without_waiting(project) -> None:
    feature = project.catalogue().feature("mean radius")
    job = project.statistics(Histogram(measurement=feature), part="test")
    result = job.result()

    assert result.record.kind == "statistics"
    assert result.statistics().equals(result.table())
    assert "Persons by value" in result._repr_html_()


def test_another_jobs_result_answers_no_question(project) -> None:
    result = project.statistics(Histogram(measurement=project.catalogue().feature("mean radius"))).result()

    assert result.features == ()
    with pytest.raises(flip.NotFoundError):
        result.model()


def test_delta_is_the_projects_where_it_is_needed(project) -> None:
    feature = project.catalogue().feature("mean radius")
    pure = project.statistics(Histogram(measurement=feature)).result()
    table = project.mean("mean radius")

    assert pure.record.delta == 0.0
    assert "δ 1e-05" in table.caption


@pytest.mark.parametrize(
    "ask",
    [
        lambda p: p.histogram("no such measurement"),
        lambda p: p.cross_table(flip.by_condition("no such condition")),
        lambda p: p.cross_table(flip.by_sex("no such sex")),
        lambda p: p.kaplan_meier("no such event", days=100),
    ],
)
def test_an_unknown_name_is_told(project, ask) -> None:
    with pytest.raises(flip.NotFoundError):
        ask(project)


def test_concepts_may_be_given_by_number(project) -> None:
    table = project.cross_table(flip.by_sex(2_000_000_201))

    assert of(table, "all", sex="2000000201")["persons"].item() == 7000


def test_groupings_say_what_they_are() -> None:
    assert repr(flip.by_age(40)) == "by age"
    assert repr(flip.by_condition("malignant", "benign")) == "by malignant or benign"
