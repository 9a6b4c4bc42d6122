"""The frozen cohort of a job with a model, out of the tables as they are now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.features import Feature
from flip_sdk.contract.inputs import records_of
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.mechanisms.snapshot import Array, Snapshot

from flip_trust.cohort.members import members
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.visits import rows_of
from flip_trust.features.index import index_days
from flip_trust.features.labels import labels_of
from flip_trust.features.rows import each_once
from flip_trust.features.shown import ImageRows, shown
from flip_trust.features.tabular import is_plain, values_of


def freeze(
    spec: TrainSpec | EvaluateSpec, omop: Omop, now: datetime, folder: Path, image_rows: ImageRows | None = None
) -> Snapshot:
    """The cohort's rows as they are now, by person.

    Args:
        spec: what is asked.
        omop: the tables; the Trust's home is the folder above them.
        now: the day of freezing.
        folder: the job's, where its images are written.
        image_rows: finds the images; ``flip_trust.features.images`` where it is not given.

    Raises:
        RefusedError: the images do not fit, or a table is missing.
        SetupError: a table of every Trust is missing.
    """
    persons = members(spec.cohort, spec.part, spec.project_id, omop, now)
    indexed = index_days(spec, persons, omop, now)
    if spec.images is not None:
        rows, images = shown(spec, indexed, omop.folder.parent, folder, image_rows or _image_rows())
        return Snapshot(
            values_of(spec.features, rows, omop), labels_of(spec.label, rows, omop), rows.whose, images=images
        )
    if records_of(spec) > 1:
        return _by_date(spec, indexed, omop)
    rows = each_once(indexed)
    return Snapshot(values_of(spec.features, rows, omop), labels_of(spec.label, rows, omop))


def _image_rows() -> ImageRows:
    # MONAI takes seconds to load: only a job with images waits for it
    from flip_trust.features.images import image_rows

    return image_rows


def _by_date(spec: TrainSpec | EvaluateSpec, indexed: pl.DataFrame, omop: Omop) -> Snapshot:
    """A row for each date of measurement: latest values are those of that date, everything else is the person's."""
    people = each_once(indexed)
    plain = [feature.concept_id for feature in spec.features if isinstance(feature, Feature) and is_plain(feature)]
    measured, owners = rows_of(people.frame.select("person_id"), omop, plain, records_of(spec))
    features: Array = np.empty((len(owners), len(spec.features)))
    others = [not (isinstance(feature, Feature) and is_plain(feature)) for feature in spec.features]
    features[:, np.logical_not(others)] = measured
    if any(others):
        told = tuple(feature for feature, other in zip(spec.features, others, strict=True) if other)
        features[:, others] = values_of(told, people, omop)[owners]
    return Snapshot(features, labels_of(spec.label, people, omop)[owners], owners)
