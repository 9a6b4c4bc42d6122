"""What a model is told of made-up patients. They have no dates, so windows of days cannot be played."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from flip_sdk.contract.features import AgeFeature, AnyFeature, AnyLabel, Feature, Label, SexFeature

if TYPE_CHECKING:
    from flip_sdk.testing.patients import Patients


def values_of(feature: AnyFeature, patients: Patients, measured: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
    """One number a person, NaN where there is none.

    Args:
        feature: what it is.
        patients: of whom.
        measured: the values of one date, where a person has several records.

    Raises:
        KeyError: the Trust has no such concept, or the feature has a window of days or needs dates.
    """
    match feature:
        case AgeFeature():
            return patients.ages.astype(np.float64)
        case SexFeature():
            return np.asarray(patients.sexes == feature.concept_id, dtype=np.float64)
        case Feature() if feature.window is None:
            if feature.statistic == "latest":
                return (patients.measurements if measured is None else measured)[feature.concept_id]
            return _statistic(feature, patients)
        case Feature():
            raise KeyError("window")
        case _:
            if feature.window is not None or feature.domain != "condition" or feature.statistic != "any":
                raise KeyError(feature.kind)
            return _having(feature.concept_ids, patients).astype(np.float64)


def labels_of(label: AnyLabel, patients: Patients) -> np.ndarray:
    """0 … classes - 1 of each person.

    Raises:
        KeyError: the Trust has no such concept, or the label has a window of days.
    """
    if label.window is not None:
        raise KeyError("window")
    if isinstance(label, Label):
        return _having(label.condition_concept_ids, patients).astype(np.int64)
    found = np.zeros(len(patients), dtype=np.int64)
    for number, one in reversed(list(enumerate(label.among, start=1))):
        found[_having(one.condition_concept_ids, patients)] = number
    return found


def _statistic(feature: Feature, patients: Patients) -> np.ndarray:
    values = np.stack([date[feature.concept_id] for date in (patients.measurements, *patients.earlier)])
    with warnings.catch_warnings():
        # who was never measured has no mean: that is NaN, and no news
        warnings.simplefilter("ignore", RuntimeWarning)
        match feature.statistic:
            case "count":
                found = np.isfinite(values).sum(axis=0)
            case "mean":
                found = np.nanmean(values, axis=0)
            case "minimum":
                found = np.nanmin(values, axis=0)
            case "maximum":
                found = np.nanmax(values, axis=0)
            case _:
                raise KeyError("dates")
    return np.asarray(found, dtype=np.float64)


def _having(concept_ids: tuple[int, ...], patients: Patients) -> np.ndarray:
    found: np.ndarray = np.any([patients.conditions[i] for i in concept_ids], axis=0)
    return found
