from __future__ import annotations

from collections.abc import Callable

import pytest
from flip_sdk.client import connect
from flip_sdk.contract.applications import DataAsked
from flip_sdk.project import Project
from flip_sdk.testing import FakeHub
from flip_sdk.tutorials import TUTORIALS, beginning

from flip_sdk import NotFoundError, tutorials

Played = Callable[..., FakeHub]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    def play(**changes: object) -> FakeHub:
        hub = FakeHub()
        for trust in hub.trusts.values():
            for name, value in changes.items():
                setattr(trust, name, value)
        real = connect(hub.api, hub.token, transport=hub.transport)
        real.project = lambda: Project(real._connection, hub.view)  # type: ignore[method-assign, assignment]
        monkeypatch.setattr(beginning, "connect", lambda *given, **more: connect(*given, **more) if given else real)
        return hub

    return play


def test_a_tutorial_runs_in_the_project_where_its_budgets_cover_it(played: Played) -> None:
    played()
    lesson = tutorials.begin(1)

    assert lesson.is_real
    assert lesson.project.id == "breast-cytology"
    assert "5.5" in repr(lesson)
    assert lesson.condition("malignant") == "malignant"
    assert lesson.measurement("mean texture") == "mean texture"


@pytest.mark.parametrize(
    "changes",
    [{"epsilon": 5.0}, {"total_epsilon": 5.0}, {"max_epsilon_per_job": 1.0}, {"consent": "paused"}, {"online": False},
     {"job_kinds": ("count",)}],
    ids=["budget", "total", "job", "paused", "offline", "kinds"],
)  # fmt: skip
def test_else_it_runs_on_made_up_people_and_says_why(played: Played, changes: dict[str, object]) -> None:
    hub = played(**changes)
    lesson = tutorials.begin(1)

    assert not lesson.is_real
    assert lesson.made_up in lesson._repr_html_()
    lesson.project.count(epsilon=0.5)
    assert hub.jobs == {}


def test_shared_noise_needs_three_trusts_that_accept_it(played: Played) -> None:
    played(trust_models=("local",))

    assert tutorials.begin(1).is_real
    assert not tutorials.begin(8).is_real


def test_images_need_a_project_about_images(played: Played) -> None:
    hub = played()
    assert not tutorials.begin(4).is_real

    asked = DataAsked(trust="aldgate", domains=("images",))
    hub.view = hub.view.model_copy(update={"application": hub.view.application.model_copy(update={"data": (asked,)})})
    assert tutorials.begin(4).is_real


def test_other_trusts_record_other_things(played: Played) -> None:
    hub = played()
    for trust in hub.trusts.values():
        trust.concepts = tuple(c for c in trust.concepts if c.name not in ("malignant", "mean radius"))
    lesson = tutorials.begin(1)

    assert lesson.condition("malignant") == "benign"
    assert lesson.measurement("mean radius") == "mean texture"


def test_without_a_hub_there_are_made_up_people(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in ("FLIP_HUB_API", "JUPYTERHUB_API_TOKEN", "FLIP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    lesson = tutorials.begin(8)

    assert "not connected" in lesson.made_up
    assert lesson.catalogue.trusts.height >= 3
    assert set(tutorials.contents()["notebook"]) == {one.file for one in TUTORIALS}


def test_a_made_up_budget_covers_the_tutorial_twice(played: Played) -> None:
    played(consent="left")
    for one in TUTORIALS:
        budget = tutorials.begin(one.number).project.budget()
        assert (budget["left"] >= 2 * one.epsilon).all()


def test_no_such_tutorial(played: Played) -> None:
    with pytest.raises(NotFoundError):
        tutorials.begin(99)
