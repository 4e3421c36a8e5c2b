"""From a sweep to a DAG of tasks. Tasks with equal keys are one task.

A pure function of the sweep, the fingerprints of what lies outside the store, and the environment. It imports
neither torch, ray nor mlflow, and asks no disk, clock or cluster. One module for each kind of method, one for
protocols.
"""

from orchestrator.planning.plan import Plan, PlanEnvironment, PlannedCurve, PlannedPoint
from orchestrator.planning.sweep import plan_sweep

__all__ = ["Plan", "PlanEnvironment", "PlannedCurve", "PlannedPoint", "plan_sweep"]
