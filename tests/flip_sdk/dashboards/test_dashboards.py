from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from flip_sdk.contract.api import JobResult, RefusalView, TrustFigures
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import ModelRef, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from flip_sdk.dashboards import Picture, Results
from flip_sdk.errors import RecordError
from flip_sdk.mechanisms.aggregate import figures

from flip_sdk import dashboards

MODEL = ModelRef(graph=digest(b"g"), weights=digest(b"w"))
SPEC = TrainSpec(
    project_id="p",
    features=(Feature(concept_id=1, low=0, high=1),),
    label=Label(condition_concept_ids=(9,), name="<malignant>"),
    model=MODEL,
)
REFUSED = RefusalView(
    trust="dunmore", code=RefusalCode.BUDGET_EXCEEDED, words=REFUSAL_WORDS[RefusalCode.BUDGET_EXCEEDED]
)
TRAINED = JobResult(
    job_id="t1",
    kind="train",
    trusts=("aldgate", "carrick"),
    refusals=(REFUSED,),
    epsilon=3.0,
    delta=1e-5,
    model=MODEL,
    history=tuple({"round": float(i), "loss": 1 / i, "seconds": 0.2} for i in range(1, 6)),
    spec=SPEC,
)
COUNTED = JobResult(
    job_id="c1", kind="count", trusts=("aldgate",), refusals=(), epsilon=0.5, delta=0.0, counts={"aldgate": 100}
)
EVALUATED = JobResult(
    job_id="e1",
    kind="evaluate",
    trusts=("aldgate", "carrick"),
    refusals=(),
    epsilon=2.0,
    delta=0.0,
    model=MODEL,
    figures=(
        TrustFigures(trust="aldgate", persons=60, accuracy=0.9, accuracy_error=0.04, auc=0.95, majority=0.6),
        TrustFigures(trust="carrick", suppressed=True),
        TrustFigures(trust="all", persons=60, accuracy=0.93, accuracy_error=0.3, auc=None, majority=0.6),
    ),
)
EVERYTHING = [EVALUATED, TRAINED, COUNTED]
PICTURES: list[Callable[[Results], Picture]] = [
    dashboards.learning_curves,
    dashboards.quality_by_trust,
    dashboards.privacy_spent,
    dashboards.reliability,
]
SOME = [[], [COUNTED], [TRAINED], [EVALUATED], [TRAINED, TRAINED.model_copy(update={"job_id": "t2"})], EVERYTHING]


class Tags(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: dict[str, list[dict[str, str | None]]] = {}
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.setdefault(tag, []).append(dict(attrs))


def test_results_are_read_from_the_published_files(tmp_path: Path) -> None:
    for result in EVERYTHING:
        (tmp_path / f"{result.job_id}.json").write_bytes(result.canonical())
    results = dashboards.load_results(tmp_path)
    assert [result.job_id for result in results] == ["c1", "t1", "e1"]
    assert results[1] == TRAINED
    assert results.trusts == ("aldgate", "carrick")


def test_no_folder_is_no_result(tmp_path: Path) -> None:
    assert len(dashboards.load_results(tmp_path / "jobs")) == 0


def test_a_file_that_is_no_result_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(RecordError):
        dashboards.load_results(tmp_path)


@pytest.mark.parametrize("draw", PICTURES)
@pytest.mark.parametrize("results", SOME, ids=lambda results: "+".join(r.job_id for r in results) or "none")
def test_every_picture_is_drawn_whatever_is_there(draw: Callable[[Results], Picture], results: list[JobResult]) -> None:
    picture = draw(Results(results))
    ElementTree.fromstring(picture.svg)
    assert b"<script" not in picture.svg
    image = Tags(picture._repr_html_()).found["img"][0]
    assert (image["src"] or "").startswith("data:image/svg+xml;base64,")
    assert "alt" in image
    assert picture.caption


def test_pictures_say_their_numbers_in_words() -> None:
    results = Results(EVERYTHING)
    assert "0.900" in dashboards.quality_by_trust(results).alt
    assert "carrick" in dashboards.quality_by_trust(results).caption
    assert "5.5" in dashboards.privacy_spent(results).alt
    assert "0.2" in dashboards.learning_curves(results).alt


def test_the_reliability_of_all_trusts_is_drawn_and_told() -> None:
    rows = figures({"aldgate": np.array([[90.0, 30, 5, 3], [4, 20, 40, 80]])}, 2.0)
    told = dashboards.reliability(Results([EVALUATED.model_copy(update={"figures": rows})]))

    assert "0.75 to 1: 0.96" in told.alt
    assert "Brier score" in told.caption
    assert told.svg.count(b"<path") > 10


def test_the_same_results_draw_the_same_bytes() -> None:
    assert dashboards.privacy_spent(Results(EVERYTHING)) == dashboards.privacy_spent(Results(EVERYTHING))


def test_provenance_names_what_was_asked_and_of_whom() -> None:
    table = Results(EVERYTHING).provenance()
    row = table.row(1, named=True)
    assert (row["job"], row["trusts"], row["shown"]) == ("t1", "aldgate, carrick", "1 number")
    assert "dunmore" in row["refused"]
    assert MODEL.weights.removeprefix("sha256:").startswith(row["model"])
    assert SPEC.digest().removeprefix("sha256:").startswith(row["spec"])
    assert "<malignant>" not in table._repr_html_()


def test_words_hold_this_pages_own_numbers() -> None:
    results = Results(EVERYTHING)
    summary = repr(dashboards.summary(results))
    assert "93.0%" in summary
    assert "60.0%" in summary
    assert "dunmore" in summary
    meaning = repr(dashboards.what_epsilon_means(Results([TRAINED.model_copy(update={"epsilon": 1.0})])))
    assert "73%" in meaning
    assert "shared the noise" not in meaning
    shared = {"trust_model": "distributed", "min_honest": 3, "epsilon_alone": 7.25}
    meaning = repr(dashboards.what_epsilon_means(Results([TRAINED.model_copy(update=shared)])))
    assert "shared the noise" in meaning
    assert "7.25" in meaning


@pytest.mark.parametrize("results", SOME, ids=lambda results: "+".join(r.job_id for r in results) or "none")
@pytest.mark.parametrize("words", [dashboards.summary, dashboards.what_epsilon_means, dashboards.limits])
def test_words_are_there_whatever_is_there(
    words: Callable[[Results], dashboards.Words], results: list[JobResult]
) -> None:
    assert repr(words(Results(results)))
    assert "<p" in words(Results(results))._repr_html_()
