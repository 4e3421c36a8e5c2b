"""What compressions are fractions of, and how much of it networks have really lost. Pure."""

import math
from collections.abc import Mapping

from jobs.metric import PREDICTED
from jobs.percent import to_percent
from orchestrator.results.curves import SweepRecord

PARAMETERS = "parameters"
WORDS = {PARAMETERS: "parameters", "macs": "MACs", "latency": "latency"}
"""The targets of sweeps, as people read them."""

_SPEEDUPS = {"macs": "speedup", "latency": PREDICTED}


_OFF = 0.01
"""What was removed is told where it is further than this from what was asked for."""


def target_of(record: SweepRecord) -> str:
    """What a sweep's compressions are fractions of."""
    return str(record.spec.get("target", PARAMETERS))


def removed(metrics: Mapping[str, float], target: str) -> float:
    """The fraction of the target's cost that a network has lost; NaN where that was not measured.

    Args:
        metrics: What was measured of the network.
        target: Of the latency, what the profile predicts.
    """
    if target == PARAMETERS:
        return metrics.get("compression", math.nan)
    speedup = metrics.get(_SPEEDUPS[target], math.nan)
    return 1 - 1 / speedup if speedup else math.nan


def reached_words(asked: float, reached: float) -> str:
    """` @52%`: what was really removed, where that is not what was asked for; else empty."""
    return f" @{to_percent(reached)}%" if asked and abs(reached - asked) > _OFF else ""  # NaN is no further off


def percent(fraction: float) -> str:
    """Format a compression in whole percent."""
    return f"{to_percent(fraction)} %"
