"""The status of a sweep and the history of its tasks, replayed from the journal.

`history` takes in the journal, `replay` computes the status from that, `story` the attempts of one task and the
decisions after each, `eta` the remaining time, `failures` what is told of equal
failures. Pure: no store, no clock, but for `reading`. Whether results exist is
read from the store, not from here.
"""

from orchestrator.status.failures import EqualFailures, equal_failures
from orchestrator.status.history import History
from orchestrator.status.reading import read_history
from orchestrator.status.record import DeviatingTask, Driver, FailedTask, StageStatus, State, SweepStatus, TaskFailure
from orchestrator.status.replay import status_of
from orchestrator.status.story import PastAttempt, Story, past_attempts, related_keys, retries_of, story_of

__all__ = [
    "DeviatingTask",
    "Driver",
    "EqualFailures",
    "FailedTask",
    "History",
    "PastAttempt",
    "StageStatus",
    "State",
    "Story",
    "SweepStatus",
    "TaskFailure",
    "equal_failures",
    "past_attempts",
    "read_history",
    "related_keys",
    "retries_of",
    "status_of",
    "story_of",
]
