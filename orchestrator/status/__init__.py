"""Where a sweep stands, by its journal and its lease: `replay` reads, `record` is what comes out.

Pure: entries in, a record out. This package knows no store and prints nothing; whether results are there is the
store's to say.
"""

from orchestrator.status.record import DeviatingTask, Driver, FailedTask, StageStatus, State, SweepStatus
from orchestrator.status.replay import status_of

__all__ = ["DeviatingTask", "Driver", "FailedTask", "StageStatus", "State", "SweepStatus", "status_of"]
