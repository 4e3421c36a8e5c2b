"""The results of sweeps, read from the store: curves, channel orders, designs, and the lineage of points.

MLflow, tables and figures are made from these. Reads the store; writes nothing.
"""

from orchestrator.results.curves import (
    METRICS,
    MORE_METRICS,
    Curve,
    Kept,
    Point,
    SweepRecord,
    collect,
    point_of,
)

__all__ = ["METRICS", "MORE_METRICS", "Curve", "Kept", "Point", "SweepRecord", "collect", "point_of"]
