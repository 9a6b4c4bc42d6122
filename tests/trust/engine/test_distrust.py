"""A worker that was taken over can answer what it likes: the agent takes only what was asked for."""

from __future__ import annotations

import json
import pickle
import socket
import struct
import time

import numpy as np
import pytest
from flip_sdk.contract.graph import parse_graph
from flip_sdk.contract.jobs import DPSGD
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.engine.frames import FrameError, receive, send
from flip_trust.engine.records import EngineError
from flip_trust.engine.session import EngineSession
from safetensors.numpy import save

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import model

PERSONS = 40


class TakenOver:
    """Stands at the process boundary: answers with given bytes."""

    pid = 0

    def __init__(self, answer):
        self.answer, self.ended = answer, False

    def ask(self, _header, _payload, _seconds, most):
        self.most = most
        return self.answer

    def end(self):
        self.ended = True


@pytest.fixture(scope="module")
def exported():
    return model("linear")[0]


def session(answer, exported):
    worker = TakenOver(answer)
    return worker, EngineSession(worker, parse_graph(exported.graph), PERSONS, FEATURES, FEATURES, 1.0, lambda _: None)


def gradient(**changes):
    return {"weight": np.zeros((1, FEATURES)), "bias": np.zeros(1)} | changes


def test_an_honest_answer_is_taken(exported):
    _, one = session(save(gradient()), exported)
    assert set(one.gradient(exported.weights, None, "mse", 1.0).tensors) == {"weight", "bias"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        pickle.dumps({"weight": 1}),
        save({"weight": np.zeros((1, FEATURES))}),
        save(gradient(person_7=np.zeros(3))),
        save(gradient(weight=np.zeros((FEATURES, 1)))),
        save(gradient(bias=np.zeros(1, dtype=np.float32))),
        save(gradient(bias=np.array([np.nan]))),
        save(gradient(bias=np.array([np.inf]))),
        save(gradient(bias=np.array([PERSONS * 1.001]))),
    ],
)
def test_anything_else_is_not_and_ends_the_worker(answer, exported):
    worker, one = session(answer, exported)
    with pytest.raises(EngineError) as caught:
        one.gradient(exported.weights, None, "mse", 1.0)
    assert caught.value.code == RefusalCode.ENGINE_FAILED
    assert worker.ended


@pytest.mark.parametrize(
    "cells",
    [np.zeros((2, 3), dtype=np.int64), np.array([[41, -1, 0], [0, 0, 0]]), np.array([[PERSONS + 1, 0, 0], [0, 0, 0]])],
)
def test_a_histogram_has_every_person_once(cells, exported):
    _, one = session(save({"histogram": cells}), exported)
    with pytest.raises(EngineError):
        one.scores(exported.weights, None, 3)


def test_statistics_keep_to_their_bounds(exported):
    wrong = {"persons": np.zeros(1), "sum": np.full(FEATURES, PERSONS + 1.0), "sum_of_squares": np.zeros(FEATURES)}
    _, one = session(save(wrong), exported)
    with pytest.raises(EngineError):
        one.statistics(1.0)


@pytest.mark.parametrize(("persons", "noise"), [(float("nan"), 1.0), (0.0, 1.0), (40.0, 0.0), (40.0, float("nan"))])
def test_dp_sgd_is_not_run_without_persons_or_noise(persons, noise, exported):
    worker, one = session(save(gradient()), exported)
    with pytest.raises(EngineError):
        one.dp_sgd(exported.weights, None, "mse", DPSGD(), noise, expected_persons=persons)
    assert not hasattr(worker, "most")


def test_the_agent_reads_no_more_than_the_answer_may_have(exported):
    worker, one = session(save(gradient()), exported)
    one.gradient(exported.weights, None, "mse", 1.0)
    assert worker.most < 10_000


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_frame_travels(pair):
    ours, theirs = pair
    send(theirs, {"ok": True}, b"content")
    assert receive(ours, time.monotonic() + 5) == ({"ok": True}, b"content")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">IQ", 2**31, 0),
        struct.pack(">IQ", 2, 2**63) + b"{}",
        struct.pack(">IQ", 2, 101) + b"{}",
        struct.pack(">IQ", 3, 0) + b"\x80\x04.",
        struct.pack(">IQ", 2, 0) + b"[]",
        struct.pack(">IQ", 100_000, 0) + b"[" * 100_000,
        b"\x00\x00",
    ],
)
def test_a_frame_that_is_none_is_refused(pair, content):
    ours, theirs = pair
    theirs.sendall(content)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(FrameError):
        receive(ours, time.monotonic() + 5, limit=100)


def test_silence_ends_at_the_deadline(pair):
    ours, theirs = pair
    theirs.sendall(struct.pack(">IQ", 20, 0) + json.dumps({}).encode())
    with pytest.raises(FrameError):
        receive(ours, time.monotonic() + 0.1)


def test_not_reading_ends_at_the_deadline(pair):
    ours, _ = pair
    with pytest.raises(FrameError):
        send(ours, {}, b"\x00" * 50_000_000, time.monotonic() + 0.1)
