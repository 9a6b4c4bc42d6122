"""A model graph from outside, checked and rebuilt as something that can be run: the only way a model gets in.

No code travels: the graph is data (``flip_sdk.contract.graph``), its operators come out of a table, and its true shapes
and memory are known before a number is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flip_sdk.contract.graph import LIMITS, GraphRecord, Limits, Loss, check_output, parse_graph
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.bookkeeping.plan import Plan
from flip_sdk.mechanisms.closed_form import LinearForm, linear_form
from flip_sdk.models.program import Program


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

    @cached_property
    def learner(self) -> Plan:
        """How it is run for many persons with their gradients."""
        return Plan(self.training, learning=True)

    @cached_property
    def scorer(self) -> Plan:
        """How it is run for many persons, without dropout."""
        return Plan(self.scoring, learning=False)


def rebuild(graph: bytes, features: int, limits: Limits = LIMITS) -> Model:
    """Check a graph and build it.

    Raises:
        ModelTooLargeError: it is over a limit.
        ModelError: it breaks a rule, or does not take these features.
    """
    record = parse_graph(graph, limits)
    require_fit(record, features, None)
    linear = linear_form(record)
    training, scoring = Program(record, training=True), Program(record, training=False)
    if linear is None:
        training.check_shapes()
        scoring.check_shapes()
    return Model(record, training, scoring, linear)


def require_fit(record: GraphRecord, features: int, loss: Loss | None) -> None:
    """Whether the model fits the job's features and loss.

    Raises:
        ModelError: it does not; with everything that is wrong.
    """
    problems = check_output(record, features, loss)
    if problems:
        raise ModelError(" ".join(problems), "Change the model or the job so that they fit.")
