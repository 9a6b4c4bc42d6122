"""What a job released: the trained model, noisy counts or noisy figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.features import AnyFeature
from flip_sdk.contract.images import AnyImages
from flip_sdk.contract.jobs import EvaluateSpec, StatisticsSpec, TrainSpec
from flip_sdk.errors import NotFoundError
from flip_sdk.extras import needed
from flip_sdk.preflight import Spec

if TYPE_CHECKING:
    from flip_sdk.connection import Connection
    from flip_sdk.contract.graph import Loss
    from flip_sdk.frames import Frame
    from flip_sdk.kept import KeptModel

UNDER_FLOOR = "under the floor"
ALL = "all"


class Result:
    """What a completed job released.

    Attributes:
        record: the result as the hub keeps it.
    """

    def __init__(self, record: JobResult, connection: Connection, project_id: str, spec: Spec | None = None) -> None:
        self.record = record
        self.project_id = project_id
        self._connection = connection
        self._spec = record.spec or spec

    def __repr__(self) -> str:
        r = self.record
        cost = f"ε {r.epsilon:g}" + (f", δ {r.delta:g}" if r.delta else "")
        return f"Result of job {r.job_id}: {r.kind} at {', '.join(r.trusts) or 'no Trust'}, {cost} per person and Trust"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        r = self.record
        cost = f"ε {r.epsilon:g}" + (f", δ {r.delta:g}" if r.delta else "") + " at each Trust (unit: person)"
        facts = [("Job", r.job_id), ("Trusts", ", ".join(r.trusts) or "none"), ("Cost", cost)]
        facts += [("Refused", "; ".join(f"{one.trust}: {one.words}" for one in r.refusals))]
        tips = looks.tip("result.model()", "the trained model") if r.model and r.kind == "train" else ""
        table = self.table()._repr_html_()
        return looks.card(f"Result of a {r.kind} job", looks.facts(facts), table, tips, state=("released", "good"))

    @property
    def id(self) -> str:
        """The id of the job it came from."""
        return self.record.job_id

    @property
    def spec(self) -> Spec:
        """What was asked.

        Raises:
            NotFoundError: the hub did not keep it.
        """
        if self._spec is None:
            raise NotFoundError(
                f"The hub does not tell what job {self.record.job_id} asked for.",
                "Give features= and label= yourself.",
            )
        return self._spec

    @property
    def features(self) -> tuple[AnyFeature, ...]:
        """The model's inputs, in their order (``train`` and ``evaluate``)."""
        spec = self.spec
        return spec.features if isinstance(spec, TrainSpec | EvaluateSpec) else ()

    @property
    def images(self) -> AnyImages | None:
        """What the model is shown (``train`` and ``evaluate``)."""
        spec = self.spec
        return spec.images if isinstance(spec, TrainSpec | EvaluateSpec) else None

    def table(self) -> Frame:
        """What the job released, by its kind: counts, figures, rounds or an answer."""
        tables = {
            "count": self.counts,
            "evaluate": self.figures,
            "train": self.history,
            "statistics": self.statistics,
        }
        return tables[self.record.kind]()

    def statistics(self) -> Frame:
        """The answer to a question: estimates per Trust and together, with errors that include the noise.

        Raises:
            NotFoundError: the job asked no question.
        """
        from flip_sdk.answers import answers

        spec = self.spec
        if not isinstance(spec, StatisticsSpec):
            raise NotFoundError(
                f"Job {self.record.job_id} is a {self.record.kind} and answers no question.",
                "Use the job of project.statistics().",
            )
        return answers(self.record, spec)

    def model(self) -> KeptModel:
        """The trained model as an ordinary torch module, to be called on raw rows (persons × features) or images.

        Clamping to the public bounds, filling of missing values and scaling are inside it.

        Raises:
            NotFoundError: the job trained no model.
        """
        with needed("learning", "A model"):
            from flip_sdk.kept import KeptModel
        from flip_sdk.models import import_model

        model, scaling = self.record.model, self.record.scaling
        if model is None or scaling is None:
            raise NotFoundError(
                f"Job {self.record.job_id} is a {self.record.kind} and has no model.",
                "Use the result of project.train().",
            )
        graph = self._connection.download(self.project_id, model.graph)
        weights = self._connection.download(self.project_id, model.weights)
        spec = self.spec
        loss: Loss = spec.loss if isinstance(spec, TrainSpec) else "binary_cross_entropy"
        return KeptModel(import_model(graph, weights), self.features, scaling, loss, self.images)

    def save_model(self, file: str | Path) -> Path:
        """Save the trained model's numbers, its scaling included, as safetensors.

        Raises:
            NotFoundError: the job trained no model.
        """
        kept = self.model()
        with needed("learning", "A model"):
            from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in kept.state_dict().items()}, file)
        return Path(file)

    def save_for_release(self, name: str | Path) -> tuple[Path, Path]:
        """Save the trained model byte for byte as the hub keeps it, which the airlock knows again as this job's.

        Args:
            name: a path without an ending.

        Returns:
            the model's calculations (``.json``) and its numbers (``.safetensors``), both for scaled rows; the module
            of :meth:`model` has clamping and scaling inside.

        Raises:
            NotFoundError: the job trained no model.
        """
        model = self.record.model
        if model is None:
            raise NotFoundError(f"Job {self.record.job_id} has no model.", "Use the result of project.train().")
        saved = []
        for address, ending in ((model.graph, "json"), (model.weights, "safetensors")):
            file = Path(f"{name}.{ending}")
            file.write_bytes(self._connection.download(self.project_id, address))
            saved.append(file)
        return saved[0], saved[1]

    def counts(self) -> Frame:
        """Persons per Trust and together: noisy, rounded, and left out where under the floor (``count``)."""
        from flip_sdk.frames import frame

        counts = self.record.counts
        rows = [{"trust": t, "persons": n, "note": UNDER_FLOOR if n is None else ""} for t, n in counts.items()]
        rows += [{"trust": r.trust, "persons": None, "note": r.words} for r in self.record.refusals]
        known = [n for n in counts.values() if n is not None]
        missing = len(rows) - len(known)
        note = f"without {missing} Trust{'s' if missing > 1 else ''}" if missing else ""
        rows.append({"trust": ALL, "persons": sum(known) if known else None, "note": note})
        caption = f"Persons (noise of ε {self.record.epsilon:g}, rounded to 5)"
        return frame(rows, {"trust": str, "persons": int, "note": str}, caption)

    def figures(self) -> Frame:
        """Accuracy per Trust and together, against always answering the majority (``evaluate``).

        Beside it the AUC; where the label has more than two classes, the mean of the classes' recalls instead, and
        :meth:`classes` shows each of them. Errors are standard errors and include the noise.
        """
        from flip_sdk.frames import frame

        beside = "balanced_accuracy" if any(f.classes for f in self.record.figures) else "auc"
        columns = ("persons", "accuracy", "accuracy_error", beside, f"{beside}_error", "majority")
        rows = [
            {"trust": f.trust, **{c: getattr(f, c) for c in columns}, "note": UNDER_FLOOR if f.suppressed else ""}
            for f in self.record.figures
        ]
        rows += [{"trust": r.trust, "note": r.words} for r in self.record.refusals]
        schema = {"trust": str, **dict.fromkeys(columns, float), "note": str}
        return frame(rows, schema, f"On persons the model has not seen (ε {self.record.epsilon:g} per Trust)")

    def classes(self) -> Frame:
        """Recall and precision of each class, per Trust and together (``evaluate``, more than two classes).

        ``recall`` is the share of a class's persons whom the model gives it; ``precision`` the share of those whom the
        model gives it who have it. ``given_…`` are noisy numbers of persons by the model's answer.

        Raises:
            NotFoundError: the label has two classes.
        """
        from flip_sdk.answers import classes

        return classes(self.record)

    def calibration(self) -> Frame:
        """How well predicted probabilities agree with what happened, per Trust and together (``evaluate``).

        ``expected_calibration_error`` is to be seen beside ``by_chance``: what chance and noise alone would make of it
        for a model whose probabilities are right. A slope below 1 says that predictions are too extreme. Errors are
        standard errors and include the noise.
        """
        from flip_sdk.answers import calibration

        return calibration(self.record)

    def reliability(self) -> Frame:
        """Predicted against observed, bin by bin, per Trust and together (``evaluate``)."""
        from flip_sdk.answers import reliability

        return reliability(self.record)

    def history(self) -> Frame:
        """One row a round: what the rounds' released sums say about the training (``train``)."""
        from flip_sdk.frames import frame

        history = self.record.history
        columns = list(dict.fromkeys(name for row in history for name in row)) or ["round"]
        whole = {"round", "trusts"}
        rows = [{n: int(v) if n in whole else v for n, v in row.items()} for row in history]
        return frame(
            rows,
            {c: int if c in whole else float for c in columns},
            "Rounds (round 0: the Trusts agreed on the scaling)",
        )
