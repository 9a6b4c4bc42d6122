"""What a model learns to tell of each row."""

from __future__ import annotations

import numpy as np
from flip_sdk.contract.features import AnyLabel, Label
from flip_sdk.mechanisms.snapshot import Indices

from flip_trust.cohort.omop import Omop
from flip_trust.features.events import had
from flip_trust.features.rows import Rows


def labels_of(label: AnyLabel, rows: Rows, omop: Omop) -> Indices:
    """``[rows]``: 0 … classes - 1; of several classes that hold, the first."""
    if isinstance(label, Label):
        return had("condition", label.condition_concept_ids, label.window, rows, omop).astype(np.int64)
    found = np.zeros(len(rows), dtype=np.int64)
    for number, one in reversed(list(enumerate(label.among, start=1))):
        found[had("condition", one.condition_concept_ids, label.window, rows, omop)] = number
    return found
