"""The picture of a model's calibration."""

from __future__ import annotations

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.calibration import Calibration, ReliabilityBin
from flip_sdk.dashboards.charts import INTERVAL
from flip_sdk.dashboards.loading import Results
from flip_sdk.dashboards.naming import widest
from flip_sdk.dashboards.pictures import GREY, SERIES, Picture, canvas, picture, words_only

_ALL = "all"


def reliability(results: Results) -> Picture:
    """Observed shares by predicted probability, over all Trusts, with 95 % intervals that include the noise."""
    result = widest(r for r in results.of("evaluate") if _of_all(r))
    shown = _of_all(result) if result else None
    if shown is None or not _told(shown):
        return words_only("No evaluation that tells the calibration is among the published results.")
    figure, (axes,) = canvas(1, 1, 5.2, 4.2)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="probabilities that are right")
    colour, marker = SERIES[0]
    for one, share, error in _told(shown):
        middle = (one.low + one.high) / 2
        low, high = max(share - INTERVAL * error, 0.0), min(share + INTERVAL * error, 1.0)
        axes.plot([middle, middle], [low, high], color=colour, linewidth=2)
        axes.plot([middle], [share], color=colour, marker=marker, markersize=7)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share", fontsize=11)
    axes.legend(frameon=False, loc="upper left")
    return picture(figure, _spoken(shown), _caption(shown))


def _of_all(result: JobResult) -> Calibration | None:
    return next((f.calibration for f in result.figures if f.trust == _ALL), None)


def _told(shown: Calibration) -> list[tuple[ReliabilityBin, float, float]]:
    return [
        (one, one.observed, one.observed_error)
        for one in shown.bins
        if one.observed is not None and one.observed_error is not None
    ]


def _spoken(shown: Calibration) -> str:
    told = "; ".join(f"{one.low:.2g} to {one.high:.2g}: {share:.2f}" for one, share, _ in _told(shown))
    return f"Observed share by predicted probability. {told}."


def _caption(shown: Calibration) -> str:
    parts = [
        "Lines are 95 % intervals with the protecting noise included; bins with too few persons are left out.",
        f"Brier score {shown.brier:.3f} ± {shown.brier_error:.3f} (0.25 is a coin), log-loss {shown.log_loss:.3f} ± "
        f"{shown.log_loss_error:.3f}.",
        f"Mean distance from the diagonal {shown.expected_calibration_error:.3f}; chance and noise alone would make it "
        f"{shown.by_chance:.3f}.",
    ]
    if shown.slope is not None and shown.slope_error is not None:
        parts.append(f"Slope {shown.slope:.2f} ± {shown.slope_error:.2f}: below 1, predictions are too extreme.")
    return " ".join(parts)
