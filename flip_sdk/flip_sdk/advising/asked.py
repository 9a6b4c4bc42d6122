"""What a researcher asked advice for, checked: everything that is wrong is told at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flip_sdk.advising.worlds import Catalogued, Public, World, made_up
from flip_sdk.asking import Names
from flip_sdk.contract.check import check
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import FEWEST_FOR_DISTRIBUTED, ModelRef, Scaling, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import ModelError, SpecError
from flip_sdk.presets import preset_of, trust_model_of, valid_with
from flip_sdk.privacy import Privacy, build

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.catalogue import Catalogue
    from flip_sdk.contract.graph import Loss
    from flip_sdk.models import ExportedModel

TRAINED = 0.7
_FEWEST_PUBLIC = 20
_ONE_OF = "Give one of catalogue=…, shape=… and public=…."


@dataclass(frozen=True)
class Candidate:
    """A model to try.

    Attributes:
        outputs: how many numbers it answers with.
        numbers: how many are trained.
    """

    name: str
    module: nn.Module
    exported: ExportedModel
    outputs: int
    numbers: int


@dataclass(frozen=True)
class Asked:
    """What is to be tried.

    Attributes:
        counts: persons trained on, by Trust.
        privacies: the guarantee, under each trust model to try.
        scaling: public means and spreads, for a guarantee whose scaling is given.
    """

    candidates: tuple[Candidate, ...]
    worlds: tuple[World, ...]
    features: tuple[Feature, ...]
    counts: Mapping[str, int]
    privacies: tuple[Privacy, ...]
    loss: Loss
    rounds: int
    records: int
    seed: int

    @classmethod
    def of(cls, models: Any, **given: Any) -> Asked:
        """See :func:`flip_sdk.advise`."""
        privacy = given["privacy"] or Privacy()
        sizes = _sizes(given["trusts"], given["catalogue"])
        _require([*_of_models(models), *_of_source(given), *_of_sizes(sizes), *_of_records(given)])
        width = _width(given)
        features = _features(given, width)
        candidates = tuple(_candidate(name, m, len(features), given["loss"]) for name, m in _named(models).items())
        asked = cls(
            candidates=candidates,
            worlds=tuple(_worlds(given, features, candidates)),
            features=features,
            counts={name: round(TRAINED * size) for name, size in sizes.items()},
            privacies=_privacies(privacy, given["trust_models"], len(sizes)),
            loss=given["loss"],
            rounds=given["rounds"] or preset_of(privacy.mechanism).rounds,
            records=given["max_records_per_person"],
            seed=given["seed"],
        )
        _require([violation for one in asked.privacies for violation in check(asked.spec(one))])
        return asked

    def spec(self, privacy: Privacy, scaling: Scaling | None = None) -> TrainSpec:
        """The job that would be sent, but for its model and label, which noise does not depend on."""
        nothing = digest(b"")
        middle = Scaling(shift=(0.0,) * len(self.features), scale=(1.0,) * len(self.features))
        given = (scaling or middle) if privacy.scaling == "given" else None
        return build(
            TrainSpec,
            project_id="advice",
            features=self.features,
            label=Label(condition_concept_ids=(1,)),
            model=ModelRef(graph=nothing, weights=nothing),
            loss=self.loss,
            privacy=privacy.record(),
            rounds=self.rounds,
            max_records_per_person=self.records,
            scaling=given,
        )


def _named(models: Any) -> dict[str, nn.Module]:
    if isinstance(models, Mapping):
        return dict(models)
    return {f"model {number}": model for number, model in enumerate(models, start=1)}


def _sizes(trusts: Any, catalogue: Catalogue | None) -> dict[str, int]:
    if trusts is None:
        if catalogue is None:
            return {}
        return {row["trust"]: row["persons"] or 0 for row in catalogue.trusts.iter_rows(named=True)}
    if isinstance(trusts, Mapping):
        return dict(trusts)
    return {f"trust {number}": size for number, size in enumerate(trusts, start=1)}


def _of_models(models: Any) -> list[Violation]:
    from torch import nn

    if not isinstance(models, Mapping | Sequence) or not models:
        return [_wrong("no_model", "models", "No model is given.", "Give them by name: {'linear': …, 'net': …}.")]
    return [
        _wrong("no_module", f"models[{name!r}]", "It is no torch module.", "Give a torch.nn.Module.")
        for name, model in _named(models).items()
        if not isinstance(model, nn.Module)
    ]


def _of_source(given: Mapping[str, Any]) -> list[Violation]:
    told = [name for name in ("catalogue", "shape", "public") if given[name] is not None]
    if len(told) != 1:
        message = f"{' and '.join(told)} are given." if told else "It is not said what the data are like."
        return [_wrong("one_source", "catalogue, shape, public", message, _ONE_OF)]
    found = []
    if given["shape"] is not None and not (1 <= len(given["shape"]) <= 4 and min(given["shape"]) >= 1):
        mend = "Say (features,) for a table, (channels, height, width) for pictures."
        found.append(_wrong("bad_shape", "shape", f"{tuple(given['shape'])} is no shape of a record.", mend))
    if given["public"] is not None and not _fits(given["public"]):
        mend = f"Give (rows, labels) or (rows, labels, persons), of {_FEWEST_PUBLIC} persons or more."
        found.append(_wrong("bad_public", "public", "Rows, labels and persons do not fit together.", mend))
    return found


def _fits(public: Sequence[Any]) -> bool:
    arrays = [np.asarray(one) for one in public]
    if len(arrays) not in (2, 3) or arrays[0].ndim != 2:
        return False
    same = all(one.shape == (len(arrays[0]),) for one in arrays[1:])
    return same and len(np.unique(arrays[2]) if len(arrays) == 3 else arrays[1]) >= _FEWEST_PUBLIC


def _of_sizes(sizes: Mapping[str, int]) -> list[Violation]:
    mend = "Give trusts={'name': persons, …}, the noisy numbers of project.count() or of the catalogue."
    if not sizes:
        return [_wrong("no_trusts", "trusts", "It is not said how many persons the Trusts have.", mend)]
    small = [name for name, size in sizes.items() if size < 1]
    return [_wrong("empty_trust", "trusts", f"{', '.join(small)}: nobody is there.", mend)] if small else []


def _of_records(given: Mapping[str, Any]) -> list[Violation]:
    if 1 <= given["max_records_per_person"] <= 100:
        return []
    where = "max_records_per_person"
    return [_wrong("bad_records", where, "A person has 1 to 100 records.", "Give a number between them.")]


def _width(given: Mapping[str, Any]) -> int:
    if given["shape"] is not None:
        return math.prod(given["shape"])
    return int(np.asarray(given["public"][0]).shape[1]) if given["public"] is not None else 0


def _features(given: Mapping[str, Any], width: int) -> tuple[Feature, ...]:
    catalogue = given["catalogue"]
    if catalogue is not None:
        return Names(lambda: catalogue).measurements(given["features"] or catalogue.features())
    limits = given["bounds"]
    if limits is None:
        limits = (0.0, 1.0) if given["public"] is None else _held(np.asarray(given["public"][0], dtype=np.float64))
    every = [limits] * width if np.ndim(limits) == 1 else list(limits)
    if len(every) != width:
        message = f"{len(every)} bounds for {width} values."
        raise SpecError([_wrong("bad_bounds", "bounds", message, "Give one (low, high), or one for each value.")])
    return tuple(
        build(Feature, concept_id=number, low=float(low), high=float(high))
        for number, (low, high) in enumerate(every, start=1)
    )


def _held(rows: np.ndarray) -> list[tuple[float, float]]:
    """Bounds of public rows: they are nobody's secret. A value that never changes has some room."""
    low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    return [(float(a), float(b if b > a else a + 1.0)) for a, b in zip(low, high, strict=True)]


def _candidate(name: str, module: nn.Module, width: int, loss: Loss) -> Candidate:
    from flip_sdk.contract.graph import parse_graph
    from flip_sdk.models import export_model

    try:
        exported = export_model(module, width, loss)
    except ModelError as error:
        raise type(error)(f"{name!r} cannot be tried: {error.message}", error.mend) from error
    graph = parse_graph(exported.graph)
    numbers = sum(weight.elements for weight in graph.parameters.values())
    return Candidate(name, module, exported, graph.result_of(graph.output).elements, numbers)


def _worlds(given: Mapping[str, Any], features: Sequence[Feature], candidates: Sequence[Candidate]) -> list[World]:
    seed, records, catalogue = given["seed"], given["max_records_per_person"], given["catalogue"]
    classes = max(2, min(one.outputs for one in candidates))
    if given["public"] is not None:
        rows, labels, *persons = given["public"]
        if int(np.max(labels)) >= classes:
            message = f"There are labels up to {int(np.max(labels))}, and a model answers for {classes} classes."
            raise SpecError([_wrong("bad_labels", "public", message, "Number classes from 0, one output for each.")])
        return [Public(rows, labels, np.asarray(persons[0]) if persons else None, records, seed)]
    limits = [(feature.low, feature.high) for feature in features]
    worlds = made_up(tuple(given["shape"] or (len(features),)), limits, classes, records, seed)
    if catalogue is None:
        return worlds
    conditions = catalogue.conditions()["concept_id"].to_list()
    label = given["label"] if given["label"] is not None else (conditions or [""])[0]
    return [Catalogued(catalogue, tuple(features), Names(lambda: catalogue).label(label), seed), worlds[1]]


def _privacies(privacy: Privacy, asked: Sequence[str], trusts: int) -> tuple[Privacy, ...]:
    """The guarantee under each trust model to try; what the researcher said about its own stays."""
    valid = [
        kind
        for kind in ("local", "distributed")
        if preset_of(privacy.mechanism).name in valid_with(kind)
        and (kind == "local" or trusts >= FEWEST_FOR_DISTRIBUTED)
    ]
    return tuple(_under(privacy, kind) for kind in asked or valid)


def _under(privacy: Privacy, kind: str) -> Privacy:
    model = privacy.trust_model if privacy.trust_model.kind == kind else trust_model_of(kind)
    return Privacy(**{name: getattr(privacy, name) for name in type(privacy).model_fields} | {"trust_model": model})


def _require(found: Sequence[Violation]) -> None:
    if found:
        raise SpecError(found)


def _wrong(rule: str, where: str, message: str, mend: str) -> Violation:
    return Violation(rule=rule, where=where, message=message, mend=mend)
