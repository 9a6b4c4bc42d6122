"""What a researcher asks for: one frozen JobSpec per job."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, TypeAdapter, ValidationError, model_serializer

from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.features import AnyFeature, AnyLabel, Index
from flip_sdk.contract.images import AnyImages
from flip_sdk.contract.records import SCHEMA_VERSION, Delta, Digest, Epsilon, Finite, Name, Record
from flip_sdk.contract.statistics import Question
from flip_sdk.errors import RecordError

Part = Literal["all", "train", "test", "fit", "validation"]
"""Of a project's persons: ``train`` and ``test`` are everybody; ``fit`` and ``validation`` are ``train``, for who wants
to choose between models without looking at ``test``. A person is in the same parts for every job of a project."""
Share = Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)]


class LocalNoise(Record):
    """Each Trust adds its full noise: its guarantee depends on nobody else."""

    kind: Literal["local"] = "local"


class DistributedNoise(Record):
    """Each Trust adds a share of the noise, and secure aggregation lets the hub learn nothing but the sum.

    The guarantee holds where at least ``min_honest`` of the Trusts are honest and deliver: their shares together are
    the whole noise. What is left if all others worked with the hub is recorded as well, and capped by each Trust.

    Attributes:
        min_honest: how many; None means all but one of the job's Trusts.
        spare_rounds: a Trust that drops out spoils a sum, and the round is repeated without it, with fresh noise: so
            often at most. Every repetition is paid for beforehand.
    """

    kind: Literal["distributed"] = "distributed"
    min_honest: Annotated[int, Field(ge=2, le=200)] | None = None
    spare_rounds: Annotated[int, Field(ge=0, le=50)] = 2

    def honest_of(self, trusts: int) -> int:
        """How many of so many Trusts the guarantee needs to be honest and deliver."""
        return self.min_honest if self.min_honest is not None else trusts - 1


TrustModel = Annotated[LocalNoise | DistributedNoise, Field(discriminator="kind")]
"""On whom the guarantee depends: on nobody but the Trust itself, or on several Trusts together."""
TrustModelName = Literal["local", "distributed"]
FEWEST_FOR_DISTRIBUTED = 3


class FullBatch(Record):
    """Full-batch DP gradient descent: one noisy sum of clipped per-person gradients per round.

    The preset for small tabular cohorts. The hub steps by ``learning_rate · Σ / (n̂ · max_grad_norm)`` and averages
    the iterates of the last half of the rounds.

    Attributes:
        max_grad_norm: L2 bound of one person's gradient.
        learning_rate: None lets the hub choose it by the size of the noise, which is public: large steps where there
            is little of it, small ones where there is much (``mechanisms.aggregate.training.automatic_rate``).
    """

    kind: Literal["full_batch"] = "full_batch"
    max_grad_norm: Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)] = 0.5
    learning_rate: Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)] | None = None


class FedAvg(Record):
    """The Trusts' changes are averaged, weighted by their noisy persons (McMahan et al., arXiv 1602.05629)."""

    kind: Literal["fedavg"] = "fedavg"


class FedAdam(Record):
    """The averaged change is a gradient for Adam at the hub (Reddi et al., arXiv 2003.00295)."""

    kind: Literal["fedadam"] = "fedadam"
    learning_rate: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.05
    beta1: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.99
    tau: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1e-3


class FedProx(Record):
    """Local steps are pulled back to the round's weights by ``mu`` (Li et al., arXiv 1812.06127)."""

    kind: Literal["fedprox"] = "fedprox"
    mu: Annotated[float, Field(gt=0, le=1e3, allow_inf_nan=False)] = 0.1


class Scaffold(Record):
    """Local steps are corrected for each Trust's drift (Karimireddy et al., arXiv 1910.06378, option II).

    The corrections are reckoned at the hub out of the Trusts' noisy changes, so they cost nothing.
    """

    kind: Literal["scaffold"] = "scaffold"


Aggregation = Annotated[FedAvg | FedAdam | FedProx | Scaffold, Field(discriminator="kind")]


class DPSGD(Record):
    """Local DP-SGD with Poisson sampling of persons, then federated averaging; full noise at each Trust."""

    kind: Literal["dp_sgd"] = "dp_sgd"
    max_grad_norm: Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)] = 1.0
    learning_rate: Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)] = 0.5
    sampling_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.1
    local_steps: Annotated[int, Field(ge=1, le=1000)] = 10
    aggregation: Aggregation = FedAvg()


class SufficientStatistics(Record):
    """Linear regression in one round: noisy ``XᵀX`` and ``Xᵀy`` of rows scaled to norm ≤ 1, then ridge at the hub.

    AdaSSP (Wang, "Revisiting differentially private linear regression", UAI 2018, arXiv 1803.02596).
    """

    kind: Literal["sufficient_statistics"] = "sufficient_statistics"


Mechanism = Annotated[FullBatch | DPSGD | SufficientStatistics, Field(discriminator="kind")]


class Privacy(Record):
    """The guarantee asked for, per Trust, unit = person, adjacency = add or remove one person.

    Attributes:
        epsilon: bound for the whole job at each Trust, preparation and scaling included.
        delta: probability outside the bound.
        mechanism: how gradients become a release.
        scaling: what puts features on one scale: their public bounds alone; noisy means and variances, measured by
            all Trusts together; or means and spreads that are public already, given in the job (``TrainSpec.scaling``).
        scaling_share: share of the privacy loss (in RDP) spent on a noisy person count and, where ``scaling`` is
            ``dp_statistics``, on noisy means and variances shared by all Trusts.
    """

    epsilon: Epsilon = 3.0
    delta: Delta = 1e-5
    mechanism: Mechanism = FullBatch()
    scaling: Literal["public_bounds", "dp_statistics", "given"] = "dp_statistics"
    scaling_share: Share = 0.2
    trust_model: TrustModel = LocalNoise()
    unit: Literal["person"] = "person"


class ModelRef(Record):
    """A model by content: its graph (``contract.graph``, canonical JSON) and its weights (safetensors)."""

    graph: Digest
    weights: Digest


class _Spec(Record):
    schema_version: Literal[1] = SCHEMA_VERSION
    project_id: Name
    trusts: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    """Trusts asked for; empty means every Trust that takes part in the project."""
    cohort: Cohort = Cohort()


class CountSpec(_Spec):
    """How many persons are in a cohort: noised (discrete Laplace of scale 1/ε), floored, rounded."""

    kind: Literal["count"] = "count"
    epsilon: Epsilon = 0.5


class _ModelSpec(_Spec):
    """A job with a model.

    Attributes:
        features: numbers of a person, the first part of the model's input.
        images: what the model is shown beside them, or alone; its numbers follow on the features.
        label: what the model tells.
        index: the day around which windows of days are.
    """

    features: Annotated[tuple[AnyFeature, ...], Field(max_length=4096)] = ()
    images: AnyImages | None = None
    label: AnyLabel
    index: Index = "now"
    model: ModelRef

    @model_serializer(mode="wrap")
    def _same_as_without(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A job without images and index dates has the digest that it had before there were any."""
        found: dict[str, Any] = handler(self)
        if self.images is None:
            found.pop("images", None)
        if self.index == "now":
            found.pop("index", None)
        return found


class TrainSpec(_ModelSpec):
    """Train a model over the persons of the ``train`` part."""

    kind: Literal["train"] = "train"
    loss: Literal["binary_cross_entropy", "cross_entropy", "mse"] = "binary_cross_entropy"
    privacy: Privacy = Privacy()
    rounds: Annotated[int, Field(ge=1, le=500)] = 20
    min_trusts: Annotated[int, Field(ge=1, le=200)] = 1
    part: Part = "train"
    max_records_per_person: Annotated[int, Field(ge=1, le=100)] = 1
    """1: a person is one row of the latest values. More: a row for each image, or without images for each date of
    measurement, so many at most, drawn at random; a person's gradient is the mean over their rows, clipped once."""
    scaling: Scaling | None = None
    """Public means and spreads, where ``privacy.scaling`` is ``given``."""


class EvaluateSpec(_ModelSpec):
    """Score a kept model on the ``test`` part: one noisy table of persons per Trust (``contract.inputs``).

    Attributes:
        epsilon: pure DP (delta = 0) of the one release, discrete Laplace of scale 1/ε.
        bins: equal-width bins of the predicted probability, where the label has two classes.
    """

    kind: Literal["evaluate"] = "evaluate"
    scaling: Scaling | None = None
    epsilon: Epsilon = 2.0
    bins: Annotated[int, Field(ge=2, le=100)] = 10
    part: Part = "test"


class Scaling(Record):
    """Per-feature shift and scale applied after clamping: ``(clamp(x) - shift) / scale``. An image's numbers have none.

    Attributes:
        max_norm: features of a row that are longer then (L2) are shortened to this length, so that no row weighs more
            than others by being far out. None leaves rows as they are.
    """

    shift: tuple[Finite, ...]
    scale: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]
    max_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class StatisticsSpec(_Spec):
    """One question about a cohort, answered by noisy sums over persons (``contract.statistics``).

    Attributes:
        epsilon: bound for the whole answer at each Trust, all its rounds included.
        delta: 0 for tables, histograms, quantiles and curves (discrete Laplace noise); above for means and regressions
            (Gaussian noise).
    """

    kind: Literal["statistics"] = "statistics"
    question: Question
    epsilon: Epsilon = 1.0
    delta: Annotated[float, Field(ge=0, lt=0.01, allow_inf_nan=False)] = 0.0
    part: Part = "all"


TrainSpec.model_rebuild()
EvaluateSpec.model_rebuild()
AnySpec = CountSpec | TrainSpec | EvaluateSpec | StatisticsSpec
JobSpec = Annotated[CountSpec | TrainSpec | EvaluateSpec | StatisticsSpec, Field(discriminator="kind")]
JobKind = Literal["count", "train", "evaluate", "statistics"]
_ADAPTER: TypeAdapter[AnySpec] = TypeAdapter(JobSpec)


def parse_spec(content: bytes | str) -> AnySpec:
    """Validate a JobSpec of any kind.

    Raises:
        RecordError: it fits none of the kinds.
    """
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        raise RecordError("JobSpec", error) from error
