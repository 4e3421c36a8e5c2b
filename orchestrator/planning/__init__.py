"""Plans a sweep as a DAG of tasks; tasks with equal keys are deduplicated.

Pure: a function of the sweep and the environment (versions and fingerprints); no disk, no clock, no cluster, and no
import of torch, ray or mlflow. One module for each kind of method, one for protocols.
"""

from orchestrator.planning.plan import Plan, PlanEnvironment, PlannedCurve, PlannedPoint
from orchestrator.planning.sweep import plan_sweep

__all__ = ["Plan", "PlanEnvironment", "PlannedCurve", "PlannedPoint", "plan_sweep"]
