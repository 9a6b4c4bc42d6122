"""Whether a Trust keeps what a job's inputs and label ask about: tables and columns. No patient is read."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from flip_sdk.contract.features import EventDomain, EventFeature
from flip_sdk.contract.holdings import MODALITIES
from flip_sdk.contract.images import AnyImages, SeriesImages
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.contract.tasks import RefusalCode

from flip_trust.cohort.omop import Omop
from flip_trust.errors import RefusedError
from flip_trust.features.events import TABLES


def require_inputs(spec: TrainSpec | EvaluateSpec, omop: Omop) -> None:
    """Whether every table, every date and the kind of image are kept here.

    Raises:
        RefusedError: UNKNOWN_CONCEPT.
    """
    if spec.images is not None:
        _require_images(spec.images, omop)
    for domain, dated in _events(spec):
        table = TABLES[domain]
        path = omop.folder / f"{table.table}.parquet"
        columns = {"person_id", table.concept, *((table.start,) if dated else ())}
        if not path.exists() or columns - set(pl.scan_parquet(path).collect_schema().names()):
            raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)


def _require_images(images: AnyImages, omop: Omop) -> None:
    """By what the standard names, never by what is held: whether one person has an image must not decide."""
    kept = all((omop.folder / f"{name}.parquet").exists() for name in ("image_series", "image_occurrence"))
    if not kept or (isinstance(images, SeriesImages) and images.modality not in MODALITIES):
        raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)


def _events(spec: TrainSpec | EvaluateSpec) -> Iterator[tuple[EventDomain, bool]]:
    """Which tables are asked, and whether for days."""
    for feature in spec.features:
        if isinstance(feature, EventFeature):
            yield feature.domain, feature.window is not None or feature.statistic == "days"
    yield "condition", spec.label.window is not None
