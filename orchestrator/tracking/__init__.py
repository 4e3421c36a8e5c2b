"""Logs curves to MLflow; the only package that imports mlflow, and only when it is used.

`sweep` decides what is logged, `runs` finds the runs, `address` handles tracking URIs and connections.
"""

from orchestrator.tracking.address import TrackingUnavailableError, ui_command
from orchestrator.tracking.sweep import TrackedSweep, log_sweep

__all__ = ["TrackedSweep", "TrackingUnavailableError", "log_sweep", "ui_command"]
