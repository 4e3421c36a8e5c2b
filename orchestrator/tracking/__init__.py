"""From the store's curves to MLflow: the one package that knows mlflow. Importing it does not import mlflow.

`sweep` decides what is logged, `runs` which run it goes to, `address` what a tracking URI means and whether it answers.
"""

from orchestrator.tracking.address import TrackingUnavailableError, ui_command
from orchestrator.tracking.sweep import TrackedSweep, log_sweep

__all__ = ["TrackedSweep", "TrackingUnavailableError", "log_sweep", "ui_command"]
