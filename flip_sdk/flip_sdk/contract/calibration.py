"""How well a model's probabilities agree with what happens, as an evaluation tells it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flip_sdk.contract.records import Finite, Record


class ReliabilityBin(Record):
    """Persons whose predicted probability lies in one bin.

    Attributes:
        low: of the bin.
        high: of the bin.
        persons: noisy number of them.
        observed: share of them with the label; None where noise leaves it open.
        observed_error: standard error of ``observed``, noise included.
    """

    low: Finite
    high: Finite
    persons: Finite
    observed: Finite | None = None
    observed_error: Finite | None = None


class Calibration(Record):
    """Calibration of one Trust (or of all): from the noisy histogram, each score taken as the middle of its bin.

    Attributes:
        brier: mean squared difference of probability and outcome; 0.25 is tossing a coin.
        log_loss: mean negative logarithm of the probability given to what happened.
        expected_calibration_error: mean distance of probability and observed share over the bins, by persons.
        by_chance: what the same would be, on average, for a model whose probabilities are right.
        slope: of the log odds of the label on the predicted ones; below 1, predictions are too extreme.
        intercept: of the same; below 0, predictions are too high. Wanted are a slope of 1 and an intercept of 0.
        bins: the reliability table.
    """

    brier: Finite
    brier_error: Finite
    log_loss: Finite
    log_loss_error: Finite
    expected_calibration_error: Finite
    by_chance: Finite
    slope: Finite | None = None
    slope_error: Finite | None = None
    intercept: Finite | None = None
    intercept_error: Finite | None = None
    bins: Annotated[tuple[ReliabilityBin, ...], Field(max_length=100)] = ()
