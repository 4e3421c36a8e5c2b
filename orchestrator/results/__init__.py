"""The results of sweeps, read from the store: curves, channel orders, designs, and the lineage of points.

MLflow, tables and figures are made from these. Reads the store; writes nothing.
"""

from orchestrator.results.curves import (
    EARLIER,
    METRICS,
    Curve,
    Further,
    Kept,
    Point,
    SweepRecord,
    by_objective,
    collect,
    metric_keys,
    point_of,
    variant_keys,
)

__all__ = [
    "EARLIER",
    "METRICS",
    "Curve",
    "Further",
    "Kept",
    "Point",
    "SweepRecord",
    "by_objective",
    "collect",
    "metric_keys",
    "point_of",
    "variant_keys",
]
