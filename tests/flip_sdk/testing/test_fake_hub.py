from __future__ import annotations

import httpx
import numpy as np
import pytest
from flip_sdk.contract.api import ErrorBody, SubmitJob
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.features import Label
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef
from flip_sdk.contract.records import digest
from flip_sdk.testing import FakeHub, FakeTrust, Patients, synthetic_patients
from flip_sdk.testing.patients import MALIGNANT

import flip_sdk as flip


def client(hub: FakeHub, token: str | None = None) -> httpx.Client:
    headers = {"Authorization": f"token {token or hub.token}"}
    return httpx.Client(base_url=f"{hub.api}/", transport=hub.transport, headers=headers)


def submit(hub: FakeHub, spec: CountSpec | EvaluateSpec, key: str = "k") -> httpx.Response:
    body = SubmitJob(spec=spec, idempotency_key=key)
    return client(hub).post("projects/breast-cytology/jobs", content=body.canonical())


def test_strangers_are_sent_away(fake_hub: FakeHub) -> None:
    response = client(fake_hub, "wrong").get("me")
    assert response.status_code == 401
    assert ErrorBody.parse(response.content).mend


@pytest.mark.parametrize("path", ["nothing", "projects/other", "projects/breast-cytology/blobs/sha256:0", "jobs/x"])
def test_what_is_not_there(fake_hub: FakeHub, path: str) -> None:
    assert client(fake_hub).get(path).status_code == 404


def test_a_blob_has_to_have_its_digest(fake_hub: FakeHub) -> None:
    address = f"projects/breast-cytology/blobs/{digest(b'x')}"
    assert client(fake_hub).put(address, content=b"y").status_code == 422
    assert client(fake_hub).put(address, content=b"x").status_code == 204


def test_a_job_needs_its_blobs(fake_hub: FakeHub) -> None:
    features = (flip.Feature(concept_id=2_000_000_001, low=0, high=1),)
    model = ModelRef(graph=digest(b"g"), weights=digest(b"w"))
    spec = EvaluateSpec(
        project_id="breast-cytology", features=features, label=Label(condition_concept_ids=(1,)), model=model
    )
    refused = submit(fake_hub, spec)
    assert refused.status_code == 422
    rules = [violation["rule"] for violation in refused.json()["violations"]]
    assert rules == ["unknown_concept", "blob_missing", "blob_missing"]


def test_the_same_key_is_the_same_job(fake_hub: FakeHub) -> None:
    spec = CountSpec(project_id="breast-cytology")
    assert submit(fake_hub, spec).status_code == 201
    assert submit(fake_hub, spec).json()["job_id"] == submit(fake_hub, spec, "other").json()["job_id"].replace("2", "1")
    assert len(fake_hub.jobs) == 2


def test_served_on_loopback_it_answers_another_program(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_hub.serve() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with flip.connect() as hub:
            assert hub.project().count().height == 5
        fake_hub.faults.append("unreachable")
        with flip.connect() as hub:
            assert hub.me.name == "ada"


def test_the_served_hub_is_gone_afterwards(fake_hub: FakeHub) -> None:
    with fake_hub.serve() as environment:
        address = environment["FLIP_HUB_API"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def patients() -> Patients:
    return Patients(
        person_ids=np.arange(4),
        ages=np.array([20, 40, 60, 80]),
        sexes=np.array([1, 1, 2, 2]),
        measurements={7: np.array([1.0, 5.0, np.nan, 20.0])},
        conditions={9: np.array([True, False, True, False])},
    )


def test_cohorts_are_selected_as_the_contract_says() -> None:
    def chosen(*rules: flip.Rule) -> list[int]:
        mask = patients().select(flip.Cohort(*rules).resolve(lambda: pytest.fail("no names here")))
        return [int(i) for i in np.flatnonzero(mask)]

    assert chosen() == [0, 1, 2, 3]
    assert chosen(flip.age_between(40, 60)) == [1, 2]
    assert chosen(flip.sex_is(1), ~flip.has_condition(9)) == [1]
    assert chosen(flip.measurement_between(7, 0, 5)) == [0, 1]


def test_missing_values_are_the_middle_and_extremes_are_clamped() -> None:
    matrix = patients().matrix((flip.Feature(concept_id=7, low=0, high=10),))
    assert matrix[:, 0].tolist() == [1.0, 5.0, 5.0, 10.0]


def test_an_unknown_concept_is_refused() -> None:
    trust = FakeTrust("a", patients())
    spec = CountSpec(
        project_id="p", cohort=Cohort(criteria=(flip.has_condition(8).resolve(lambda: pytest.fail("no")),))
    )
    assert trust.refuses(spec) == "unknown_concept"


def test_the_parts_divide_the_persons_and_stay_the_same() -> None:
    made = synthetic_patients(1000, seed=3)
    train, test = made.part("p", "train"), made.part("p", "test")
    assert (train ^ test).all()
    assert abs(train.mean() - 0.7) < 0.05
    assert (made.part("p", "train") == train).all()
    assert (made.part("other", "train") != train).any()


def test_the_same_seed_makes_the_same_persons() -> None:
    first, again = synthetic_patients(50, seed=1), synthetic_patients(50, seed=1)
    assert (first.measurements[2_000_000_001] == again.measurements[2_000_000_001]).all()
    assert first.conditions[MALIGNANT].any()
