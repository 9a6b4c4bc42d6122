"""Markers planted in the patients' tables reach neither the log nor the wire, whatever fails."""

from __future__ import annotations

import io
import logging
import struct

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, MeasurementBetween
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.agent import log
from flip_trust.engine.records import EngineError

from tests.trust.world import MALIGNANT, RADIUS, answer_of, count_spec, evaluate_spec, train_spec

TEXT = "PLANTED-MRS-EXAMPLE"
NUMBER = 987654.321012
PERSON = 777_000_777
MARKERS = (TEXT.encode(), b"987654.32", b"777000777", struct.pack("<d", NUMBER), struct.pack("<q", PERSON))


@pytest.fixture
def log_text():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.SafeFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("flip_trust").setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def planted(trust):
    """Every row of every table of patients holds a marker."""
    omop = trust.config.omop
    for table, column in (("person", "year_of_birth"), ("condition_occurrence", "condition_concept_id")):
        frame = pl.read_parquet(omop / f"{table}.parquet")
        extra = frame.head(1).with_columns(person_id=pl.lit(PERSON, dtype=pl.Int64))
        pl.concat([frame, extra]).with_columns(note=pl.lit(TEXT)).write_parquet(omop / f"{table}.parquet")
        assert column in frame.columns
    frame = pl.read_parquet(omop / "measurement.parquet")
    extra = frame.head(50).with_columns(person_id=pl.lit(PERSON, dtype=pl.Int64), value_as_number=pl.lit(NUMBER))
    pl.concat([frame, extra]).with_columns(note=pl.lit(TEXT)).write_parquet(omop / "measurement.parquet")
    trust.opt_in(epsilon=100.0)
    return trust


def assert_clean(trust, text: str) -> None:
    audited = str(trust.database.read("SELECT * FROM audit"))
    for marker in MARKERS:
        assert all(marker not in part for part in trust.carrier.wire())
        assert marker.decode("latin-1") not in text
        assert marker.decode("latin-1") not in audited


def ask(trust, agent, parts):
    received = trust.carrier.put(parts)
    agent.take(trust.carrier.receive())
    return answer_of(trust, trust.carrier.answer(received))[0]


def test_jobs_that_succeed(planted, log_text):
    agent, hub = planted.agent(), planted.hub
    cohort = Cohort(
        criteria=(
            AgeBetween(),
            HasCondition(concept_ids=(MALIGNANT,)),
            MeasurementBetween(concept_id=RADIUS, low=0, high=1e6),
        )
    )
    job = hub.job(train_spec())
    for parts in (hub.parts(hub.job(count_spec(cohort=cohort)), "count"), hub.prepare(job), hub.train(job)):
        ask(planted, agent, parts)

    assert len(planted.carrier.wire()) > 3
    assert_clean(planted, log_text())


def test_an_engine_whose_errors_quote_the_data(planted, log_text):
    agent, hub = planted.agent(), planted.hub
    for error in (
        ValueError(f"cannot read {TEXT} {NUMBER} of person {PERSON}"),
        EngineError(RefusalCode.ENGINE_FAILED, f"{TEXT} {NUMBER} {PERSON}"),
        KeyError(TEXT),
    ):
        planted.pool.fail = error
        assert ask(planted, agent, hub.evaluate(hub.job(evaluate_spec()))).code == RefusalCode.ENGINE_FAILED

    assert "ValueError" in log_text(), "the operator still learns what kind of error it was, and where"
    assert_clean(planted, log_text())


def test_tables_whose_errors_quote_the_data(planted, log_text):
    agent, hub = planted.agent(), planted.hub
    path = planted.config.omop / "measurement.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(value_as_number=pl.lit(f"{TEXT} {NUMBER}")).write_parquet(path)
    assert ask(planted, agent, hub.prepare(hub.job(train_spec()))).code == RefusalCode.ENGINE_FAILED

    path.write_bytes(TEXT.encode() * 100)
    assert ask(planted, agent, hub.prepare(hub.job(train_spec()))).code == RefusalCode.ENGINE_FAILED
    (planted.config.omop / "person.parquet").write_bytes(TEXT.encode() * 100)
    refused = ask(planted, agent, hub.parts(hub.job(count_spec()), "count"))
    assert refused.code == RefusalCode.ENGINE_FAILED
    assert_clean(planted, log_text())


def test_an_engine_that_hands_over_raw_values(planted, log_text):
    """What is not of the model's shape, or not finite, stays; and what has the right shape gets noise."""
    from flip_trust.engine.records import RawUpdate

    agent, hub = planted.agent(), planted.hub
    job = hub.job(train_spec())
    ask(planted, agent, hub.prepare(job))
    session = planted.pool.sessions[-1]
    raw = {"weight": np.full((1, 2), NUMBER), "bias": np.full(1, NUMBER)}
    session.gradient = lambda *_: RawUpdate(raw | {"rows": np.full((400, 2), NUMBER)}, 0.1, noised=False)
    assert ask(planted, agent, hub.train(job)).code == RefusalCode.ENGINE_FAILED
    session = planted.pool.sessions[-1]
    session.gradient = lambda *_: RawUpdate(raw, 0.1, noised=False)
    ask(planted, agent, hub.train(job, attempt=2))

    assert_clean(planted, log_text())


def test_uncaught_errors_and_other_libraries_lines_lose_their_text(log_text, capsys):
    logging.getLogger("some.library").error("value was %s", TEXT)
    try:
        raise ValueError(TEXT)
    except ValueError:
        logging.getLogger("flip_trust.x").exception("failed")

    assert TEXT not in log_text()
    assert "ValueError" in log_text()
    assert '"event": "failed"' in log_text()


def test_uncaught_errors_of_threads_and_of_the_program(capfd):
    import subprocess
    import sys

    code = (
        "import threading; from flip_trust.agent import log; log.set_up()\n"
        f"def f(): raise ValueError('{TEXT}')\n"
        "t = threading.Thread(target=f); t.start(); t.join()\n"
        "f()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert TEXT not in done.stderr
    assert done.stderr.count("ValueError") == 2
