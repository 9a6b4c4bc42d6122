from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flip_sdk.cli import app
from flip_sdk.job_files import KINDS, arguments_of, read
from flip_sdk.job_words import images_from
from flip_sdk.testing import FakeHub

import flip_sdk as flip

TRAINING = """
kind = "train"
model = "nets_of_a_file:make"
label = "malignant"
features = [
  "mean radius",
  {age = [18, 95]},
  {had = "benign", days = [-3650, 0]},
  {measurement = "mean texture", low = 5, high = 40, take = "mean"},
]
rounds = 2
trusts = ["aldgate", "brookfield"]

[privacy]
epsilon = 2
delta = 1e-6

[cohort]
age = [30, 90]
without = ["benign"]
measurements = {"mean radius" = [5, 30]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets_of_a_file.py").write_text("from torch import nn\n\n\ndef make():\n    return nn.Linear(4, 1)\n")
    return tmp_path


def written(folder: Path, content: str, name: str = "job.toml") -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_a_training_says_what_the_call_would(project: flip.Project, fake_hub: FakeHub, folder: Path) -> None:
    job = read(written(folder, TRAINING)).submit(project)

    assert isinstance(job, flip.Job)
    spec = fake_hub.jobs[job.id].spec
    assert [feature.name for feature in spec.features] == [
        "mean radius",
        "age",
        "benign from day -3650 to day 0",
        "mean mean texture",
    ]
    assert (spec.privacy.epsilon, spec.privacy.delta, spec.rounds) == (2, 1e-6, 2)
    assert spec.trusts == ("aldgate", "brookfield")
    assert [criterion.kind for criterion in spec.cohort.criteria] == ["condition", "age", "measurement"]
    assert read(written(folder, TRAINING)).price(project)["trust"].to_list() == ["aldgate", "brookfield"]


def test_features_left_out_are_all_of_the_catalogue(project: flip.Project, fake_hub: FakeHub, folder: Path) -> None:
    (folder / "nets_of_eight.py").write_text("from torch import nn\n\nnet = nn.Linear(8, 1)\n")
    content = {"kind": "train", "model": "nets_of_eight:net", "label": "malignant"}
    job = read(written(folder, json.dumps(content), "job.json")).submit(project)
    assert len(fake_hub.jobs[job.id].spec.features) == 8


def test_a_training_is_scored_by_its_id(project: flip.Project, folder: Path) -> None:
    (folder / "nets_of_one.py").write_text("from torch import nn\n\nnet = nn.Linear(1, 1)\n")
    content = 'kind = "train"\nmodel = "nets_of_one:net"\nlabel = "malignant"\nfeatures = ["mean radius"]\nrounds = 2'
    trained = read(written(folder, content)).submit(project)
    trained.result()
    scored = read(written(folder, f'kind = "evaluate"\nmodel = "{trained.id}"\nepsilon = 2\n')).submit(project)
    assert "accuracy" in scored.result().table()


@pytest.mark.parametrize(
    "content",
    [
        'kind = "count"\nepsilon = 0.3\n[cohort]\nconditions = ["malignant"]\nsex = "female"',
        'kind = "mean"\nmeasurements = ["mean radius"]\nepsilon = 1',
        'kind = "cross_table"\nby = [{age = [40, 60]}, {condition = "malignant"}]',
        'kind = "kaplan_meier"\ndays = 1000\nby = [{condition = "malignant"}]',
        'kind = "logistic_regression"\noutcome = "malignant"\non = ["mean radius", {age = [50]}]',
    ],
    ids=["count", "mean", "cross_table", "kaplan_meier", "logistic"],
)
def test_questions_are_asked_and_answered(project: flip.Project, folder: Path, content: str) -> None:
    assert "all" in read(written(folder, content)).submit(project)["trust"].to_list()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kind = ", "TOML"),
        ('kind = "trian"', "'train'"),
        ("", "Say kind"),
        ('kind = "count"\nepsilom = 1', "'epsilon'"),
        ('kind = "train"\nlabel = "malignant"', "model"),
        ('kind = "count"\n[cohort]\ncondition = ["malignant"]', "'conditions'"),
        ('kind = "count"\n[cohort]\nage = 40', "[40, 70]"),
        ('kind = "cross_table"\nby = [{ages = [40]}]', "'age'"),
        ('kind = "kaplan_meier"\ndays = 9\nby = [{age = [40]}, {condition = "malignant"}]', "one grouping"),
    ],
    ids=["no_toml", "kind", "empty", "name", "missing", "cohort", "age", "by", "curves"],
)
def test_what_is_wrong_is_told_with_its_mend(project: flip.Project, folder: Path, content: str, said: str) -> None:
    with pytest.raises(flip.SpecError) as caught:
        read(written(folder, content)).submit(project)
    assert said in str(caught.value)
    assert all(violation.mend for violation in caught.value.violations)


def test_a_file_that_is_not_there_and_a_model_that_is_none(project: flip.Project, folder: Path) -> None:
    with pytest.raises(flip.NotFoundError):
        read(folder / "nowhere.toml")
    (folder / "nets_of_no_kind.py").write_text("net = 3\n")
    for model in ("nets_of_no_kind:net", "nets_of_no_kind:other", "nets_nowhere:net"):
        with pytest.raises(flip.ModelError) as caught:
            read(written(folder, f'kind = "train"\nlabel = "malignant"\nmodel = "{model}"')).submit(project)
        assert caught.value.mend


def test_images_are_said_step_by_step() -> None:
    said = {"modality": "CT", "body_part": "CHEST", "all": True, "window": [-1000, 400], "size": [64, 64]}
    wanted = flip.images("CT", body_part="CHEST").all().window(-1000, 400).size(64, 64)
    assert images_from(said).record() == wanted.record()
    with pytest.raises(flip.SpecError):
        images_from({"modality": "CT", "record": True})


def test_every_kind_is_a_method_of_a_project() -> None:
    assert all(callable(getattr(flip.Project, kind)) and arguments_of(kind) for kind in KINDS)


def test_a_file_is_practised_without_an_account(folder: Path) -> None:
    (folder / "nets_of_two.py").write_text("from torch import nn\n\nnet = nn.Linear(2, 1)\n")
    content = 'kind = "train"\nmodel = "nets_of_two:net"\nlabel = "malignant"\nrounds = 2\n'
    path = written(folder, content + 'features = ["mean radius", "mean texture"]')
    done = CliRunner().invoke(app, ["simulate", str(path), "--persons", "120", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [row["round"] for row in json.loads(done.stdout)] == [0, 1, 2]
    assert "Nobody is signed in" in done.stderr
