"""What sweeps have measured, read back from the store: curves, the orders and designs under them, what lies behind.

Pure but for reading the store; MLflow, tables and figures are made from what is here.
"""

from orchestrator.results.curves import (
    EARLIER,
    METRICS,
    Curve,
    Kept,
    Point,
    SweepRecord,
    collect,
    metric_keys,
    objective_of,
    point_of,
)

__all__ = [
    "EARLIER",
    "METRICS",
    "Curve",
    "Kept",
    "Point",
    "SweepRecord",
    "collect",
    "metric_keys",
    "objective_of",
    "point_of",
]
