"""A model graph from outside, checked and rebuilt as something that can be run: the only way a model gets in.

No code travels: the graph is data (``flip_sdk.contract.graph``), its operators come out of a table, and its true shapes
and memory are known before a number is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from flip_sdk.contract.graph import LIMITS, GraphRecord, Limits
from flip_sdk.errors import ModelError
from flip_sdk.models.program import Program

from flip_trust.engine.checks import read_graph, refused
from flip_trust.engine.closed_form import LinearForm, linear_form


@dataclass(frozen=True)
class Model:
    """A checked model.

    Attributes:
        record: its graph.
        training: with dropout.
        scoring: without.
        linear: its closed form, where it has one.
    """

    record: GraphRecord
    training: Program
    scoring: Program
    linear: LinearForm | None


def rebuild(graph: bytes, features: int, limits: Limits = LIMITS) -> Model:
    """Check a graph and build it.

    Raises:
        EngineError: MODEL_TOO_LARGE or MODEL_REFUSED.
    """
    record = read_graph(graph, features, limits)
    linear = linear_form(record)
    if linear is not None:
        return Model(record, Program(record, training=True), Program(record, training=False), linear)
    try:
        training, scoring = Program(record, training=True), Program(record, training=False)
        training.check_shapes()
        scoring.check_shapes()
    except ModelError as error:
        raise refused(error) from error
    return Model(record, training, scoring, None)
