"""What compressions are fractions of, and how much of it networks have really lost. Pure."""

import math
from collections.abc import Mapping

from jobs.metric import PREDICTED
from orchestrator.results import SweepRecord

PARAMETERS = "parameters"
WORDS = {PARAMETERS: "parameters", "macs": "MACs", "latency": "latency"}
"""The targets of sweeps, as people read them."""

_SPEEDUPS = {"macs": "speedup", "latency": PREDICTED}


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
