from __future__ import annotations

import json
from pathlib import Path

import httpx
import polars as pl
import pytest
import torch
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.jobs import CountSpec, DistributedNoise, EvaluateSpec, TrainSpec
from flip_sdk.contract.states import JobState, ProjectState
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.testing import FakeHub, FakeTrust, synthetic_patients
from torch import nn

import flip_sdk as flip


def linear(features: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(features, 1)


def train(project: flip.Project, **changes: object) -> flip.Job:
    arguments: dict[str, object] = {"features": project.catalogue().features(), "label": "malignant", "rounds": 4}
    return project.train(linear(), **{**arguments, **changes})  # type: ignore[arg-type]


def test_the_hub_knows_who_asks_and_lists_projects(hub: flip.Hub) -> None:
    assert hub.me.name == "ada"
    assert hub.projects()["project"].to_list() == ["breast-cytology"]


def test_the_workspaces_project_needs_no_name(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIP_PROJECT", "breast-cytology")
    assert flip.connect(fake_hub.api, fake_hub.token, transport=fake_hub.transport).project().id == "breast-cytology"


def test_a_project_that_is_not_there_suggests_the_nearest(hub: flip.Hub) -> None:
    with pytest.raises(flip.NotFoundError) as caught:
        hub.project("breast-cytologie")
    assert "breast-cytology" in caught.value.mend


def test_whoever_has_one_project_need_not_name_it(hub: flip.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.project().id == "breast-cytology"
    view = hub.project().view
    monkeypatch.setattr(hub, "_views", lambda: [view, view.model_copy(update={"project_id": "another"})])
    with pytest.raises(flip.NotFoundError) as caught:
        hub.project()
    assert "breast-cytology" in caught.value.mend
    assert "another" in caught.value.mend


def test_the_budget_is_a_table_with_what_is_left(project: flip.Project, fake_hub: FakeHub) -> None:
    fake_hub.trusts["carrick"].debit({Pure(epsilon=2.0): 2})
    fake_hub.trusts["dunmore"].consent = "none"
    budget = project.budget()
    assert isinstance(budget.polars(), pl.DataFrame)
    by_trust = {row["trust"]: row for row in budget.iter_rows(named=True)}
    assert by_trust["carrick"]["left"] == 6.0
    assert by_trust["dunmore"]["left"] is None
    assert by_trust["dunmore"]["consent"] == "none"


def test_a_count_gives_each_trust_and_the_total(project: flip.Project, fake_hub: FakeHub) -> None:
    frame = project.count(flip.Cohort(flip.has_condition("malignant")), epsilon=0.25)
    counted = dict(zip(frame["trust"], frame["persons"], strict=True))
    assert counted["all"] == sum(persons for trust, persons in counted.items() if trust != "all")
    truth = int(fake_hub.trusts["aldgate"].patients.conditions[2_000_000_101].sum())
    assert abs(counted["aldgate"] - truth) <= 2.5
    assert fake_hub.trusts["aldgate"].spent == 0.25


def test_a_small_count_is_shown_as_under_the_floor() -> None:
    trusts = [FakeTrust("small", synthetic_patients(9)), FakeTrust("large", synthetic_patients(50))]
    fake = FakeHub(trusts)
    project = flip.connect(fake.api, fake.token, transport=fake.transport).project("breast-cytology")
    frame = project.count()
    assert frame.rows() == [("small", None, "under the floor"), ("large", 50, ""), ("all", 50, "without 1 Trust")]


def test_training_gives_a_model_that_tells_better_than_guessing(project: flip.Project) -> None:
    result = train(project, rounds=10).result()
    figures = project.evaluate(result).result().figures()
    everyone = figures.filter(pl.col("trust") == "all").row(0, named=True)
    assert everyone["auc"] > 0.85
    assert everyone["accuracy"] > everyone["majority"]
    assert result.history()["round"].to_list() == list(range(11))


def test_what_is_submitted_is_what_was_asked(project: flip.Project, fake_hub: FakeHub) -> None:
    train(
        project,
        cohort=flip.Cohort(flip.age_between(30, 80)),
        privacy=flip.Privacy(1.5, 1e-6, scaling="public_bounds"),
        trusts=["aldgate", "carrick"],
        min_trusts=2,
    )
    (job,) = fake_hub.jobs.values()
    spec = job.spec
    assert isinstance(spec, TrainSpec)
    assert (spec.privacy.epsilon, spec.privacy.delta, spec.privacy.scaling) == (1.5, 1e-6, "public_bounds")
    assert (spec.trusts, spec.min_trusts, spec.part) == (("aldgate", "carrick"), 2, "train")
    assert spec.cohort.criteria[0].kind == "age"
    assert {spec.model.graph, spec.model.weights} <= fake_hub.blobs.keys()
    assert job.view.trusts == ("aldgate", "carrick")


def test_a_lost_answer_does_not_submit_twice(fake_hub: FakeHub, project: flip.Project) -> None:
    def lose_the_answer_to_the_submission(request: httpx.Request) -> None:
        if request.url.path.endswith("/jobs") and not fake_hub.jobs:
            fake_hub.faults.append("answer_lost")

    project._connection._client.event_hooks["request"].append(lose_the_answer_to_the_submission)
    project.count()
    assert len(fake_hub.jobs) == 1
    assert not fake_hub.faults
    assert fake_hub.trusts["aldgate"].spent == 0.5


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)), nn.Linear(7, 1), nn.Linear(8, 3)],
    ids=["batch norm", "other inputs", "other outputs"],
)
def test_a_model_that_cannot_cross_is_told_before_anything_is_sent(
    project: flip.Project, fake_hub: FakeHub, model: nn.Module
) -> None:
    with pytest.raises(flip.ModelError) as caught:
        project.train(model, features=project.catalogue().features(), label="malignant")
    assert caught.value.mend
    assert not fake_hub.jobs
    assert not fake_hub.blobs


class Branching(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows[:, :1] if rows.sum() > 0 else rows[:, 1:2]


def test_control_flow_on_data_is_told(project: flip.Project) -> None:
    with pytest.raises(flip.ModelError) as caught:
        project.train(Branching(), features=project.catalogue().features(), label="malignant")
    assert caught.value.mend


@pytest.mark.parametrize("wrong", [{"features": ["mean radios"]}, {"label": "malignent"}, {"features": []}])
def test_unknown_names_are_told_before_anything_is_sent(
    project: flip.Project, fake_hub: FakeHub, wrong: dict[str, object]
) -> None:
    with pytest.raises(flip.NotFoundError) as caught:
        train(project, **wrong)
    assert caught.value.mend
    assert not fake_hub.jobs


def test_all_broken_rules_are_told_at_once(project: flip.Project) -> None:
    features = [flip.Feature(concept_id=2_000_000_001, low=5, high=5)] * 8
    with pytest.raises(flip.SpecError) as caught:
        train(project, features=features, rounds=1)
    assert {v.rule for v in caught.value.violations} >= {"empty_bounds", "repeated_feature", "too_few_rounds"}


def test_numbers_out_of_range_are_told_in_words(project: flip.Project) -> None:
    with pytest.raises(flip.RecordError):
        train(project, rounds=0)
    with pytest.raises(flip.RecordError):
        flip.Privacy(epsilon=-1)
    with pytest.raises(flip.RecordError):
        project.count(epsilon=0)


def test_a_budget_too_small_is_told_before_anything_is_sent(project: flip.Project, fake_hub: FakeHub) -> None:
    for trust in fake_hub.trusts.values():
        trust.epsilon = 2.0
    with pytest.raises(flip.SpecError) as caught:
        train(project)
    assert [v.rule for v in caught.value.violations] == ["budget_exceeded"]
    assert not fake_hub.jobs


def test_a_budget_that_the_trust_finds_spent_is_a_reason_in_words(project: flip.Project, fake_hub: FakeHub) -> None:
    for trust in fake_hub.trusts.values():
        trust.debit({Pure(epsilon=6.0): 1})
    job = train(project)
    for trust in fake_hub.trusts.values():
        trust.debit({Pure(epsilon=2.0): 1})
    with pytest.raises(flip.JobFailedError) as caught:
        job.result()
    assert caught.value.mend
    assert {(r.trust, r.code) for r in caught.value.refusals} == {
        (name, RefusalCode.BUDGET_EXCEEDED) for name in fake_hub.trusts
    }


def test_the_price_is_what_each_ledger_is_debited(project: flip.Project, fake_hub: FakeHub) -> None:
    fake_hub.trusts["brookfield"].debit({Pure(epsilon=0.5): 3})
    fake_hub.trusts["carrick"].debit({Pure(epsilon=9.9): 1})
    fake_hub.trusts["dunmore"].consent = "paused"
    features = project.catalogue().features()
    told = project.price(linear(), features=features, label="malignant", rounds=4)
    before = {name: trust.spent for name, trust in fake_hub.trusts.items()}
    train(project).result()

    prices = {row["trust"]: row for row in told.iter_rows(named=True)}
    for name in ("aldgate", "brookfield"):
        assert prices[name]["admitted"]
        assert prices[name]["before"] == before[name]
        assert prices[name]["after"] == fake_hub.trusts[name].spent
        assert prices[name]["left"] == 10.0 - fake_hub.trusts[name].spent
    assert prices["aldgate"]["job"] == pytest.approx(3.0, rel=1e-6)
    assert not prices["carrick"]["admitted"]
    assert "of 10" in prices["carrick"]["why_not"]
    assert fake_hub.trusts["carrick"].spent == before["carrick"]
    assert "paused" in prices["dunmore"]["why_not"]


def test_the_price_of_shared_noise_has_two_figures(project: flip.Project, fake_hub: FakeHub) -> None:
    features = project.catalogue().features()
    asked = {"features": features, "label": "malignant", "privacy": flip.Privacy(trust_model=DistributedNoise())}
    told = project.price(linear(), **asked)

    for row in told.iter_rows(named=True):
        assert row["job"] == pytest.approx(3.0, rel=1e-6)
        assert 4.0 < row["job_alone"] < 12.0
        assert row["left_alone"] == 40.0 - row["after_alone"]
        assert row["admitted"]
    for trust in fake_hub.trusts.values():
        trust.epsilon_alone = 4.0
    assert not any(project.price(linear(), **asked)["admitted"])


def test_any_job_has_a_price(project: flip.Project) -> None:
    told = project.price(CountSpec(project_id=project.id, epsilon=0.25, trusts=("aldgate",)))

    assert told["trust"].to_list() == ["aldgate"]
    assert told["after"].to_list() == [0.25]
    with pytest.raises(flip.SpecError):
        project.price(CountSpec(project_id=project.id, trusts=("nowhere",)))


def test_a_cohort_under_the_floor_says_to_widen_it(project: flip.Project) -> None:
    job = train(project, cohort=flip.Cohort(flip.age_between(40, 40)))
    with pytest.raises(flip.JobFailedError) as caught:
        job.result()
    assert {refusal.code for refusal in caught.value.refusals} == {RefusalCode.COHORT_TOO_SMALL}
    assert caught.value.mend


@pytest.mark.parametrize("how", ["expired", "suspended"])
def test_a_project_that_is_over_takes_no_jobs(project: flip.Project, fake_hub: FakeHub, how: str) -> None:
    fake_hub.expire() if how == "expired" else fake_hub.set_state(ProjectState.SUSPENDED)
    with pytest.raises(flip.NotAllowedError) as caught:
        train(project)
    assert caught.value.mend
    assert not fake_hub.jobs


def test_offline_trusts_are_noted_and_left_out(project: flip.Project, fake_hub: FakeHub) -> None:
    fake_hub.trusts["dunmore"].online = False
    job = train(project)
    assert any("dunmore" in note for note in job.notes)
    assert "dunmore" not in job.result().record.trusts


def test_all_trusts_offline_ends_with_a_reason(project: flip.Project, fake_hub: FakeHub) -> None:
    for trust in fake_hub.trusts.values():
        trust.online = False
    job = train(project)
    with pytest.raises(flip.JobFailedError) as caught:
        job.result()
    assert caught.value.reason
    assert caught.value.mend


def test_a_trust_that_never_opted_in_is_not_asked(project: flip.Project, fake_hub: FakeHub) -> None:
    fake_hub.trusts["dunmore"].consent = "none"
    assert "dunmore" not in train(project).view.trusts


def test_evaluating_a_module_of_ones_own(project: flip.Project, fake_hub: FakeHub) -> None:
    features = project.catalogue().features()
    project.evaluate(linear(), features=features, label="malignant").result()
    spec = next(iter(fake_hub.jobs.values())).spec
    assert isinstance(spec, EvaluateSpec)
    assert spec.scaling is not None
    assert spec.scaling.shift[0] == (features[0].low + features[0].high) / 2


def test_evaluating_a_kept_model_scales_once(project: flip.Project) -> None:
    result = train(project).result()
    mine = project.evaluate(result.model(), label="malignant").result().figures()
    assert mine.equals(project.evaluate(result).result().figures())


def test_evaluating_without_features_asks_for_them(project: flip.Project) -> None:
    with pytest.raises(flip.NotFoundError):
        project.evaluate(linear())


def test_a_count_has_no_model_to_evaluate(project: flip.Project, fake_hub: FakeHub) -> None:
    project.count()
    counted = project.job(next(iter(fake_hub.jobs)))
    with pytest.raises(flip.NotFoundError):
        project.evaluate(counted)
    with pytest.raises(flip.NotFoundError):
        counted.result().model()


def test_jobs_are_listed_newest_first_and_found_again(project: flip.Project, hub: flip.Hub) -> None:
    project.count()
    job = train(project)
    assert project.jobs()["job"].to_list()[0] == job.id
    assert hub.job(job.id).result().model() is not None
    with pytest.raises(flip.NotFoundError):
        hub.job("job-99")


def notebook(folder: Path) -> Path:
    cells = [
        {"cell_type": "markdown", "source": "# x", "metadata": {}},
        {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [{"secret": 1}], "execution_count": 3},
    ]
    file = folder / "report.ipynb"
    file.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return file


def test_publishing_strips_outputs(project: flip.Project, fake_hub: FakeHub, tmp_path: Path) -> None:
    job = train(project)
    result = job.result()
    dashboard = project.publish(notebook(tmp_path), name="report", jobs=[job, result, job.id])
    assert dashboard.address in dashboard._repr_html_()
    assert [d.view.name for d in project.dashboards()] == ["report"]
    assert not any(b"secret" in blob for blob in fake_hub.blobs.values())


def test_publishing_what_is_no_notebook(project: flip.Project, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("[]")
    for file in (tmp_path / "missing.ipynb", tmp_path / "x.ipynb", tmp_path):
        with pytest.raises(flip.NotFoundError):
            project.publish(file, name="report")


def test_a_bad_dashboard_name_is_told(project: flip.Project, tmp_path: Path) -> None:
    with pytest.raises(flip.RecordError):
        project.publish(notebook(tmp_path), name="My Report!")


def test_a_project_shows_its_name_and_title(project: flip.Project) -> None:
    for shown in (repr(project), project._repr_html_()):
        assert project.id in shown
        assert project.view.application.title in shown
    assert train(project).state == JobState.SUBMITTED
