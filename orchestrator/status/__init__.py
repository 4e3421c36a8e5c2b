"""Where a sweep stands, by its journal and its lease: `replay` reads, `record` is what comes out.

`story` tells how it came to that: the attempts of one task, and what followed from each.

Pure: entries in, a record out. This package knows no store and prints nothing; whether results are there is the
store's to say.
"""

from orchestrator.status.record import DeviatingTask, Driver, FailedTask, StageStatus, State, SweepStatus
from orchestrator.status.replay import status_of
from orchestrator.status.story import PastAttempt, Story, keys_told_of, past_attempts, retries_of, story_of

__all__ = [
    "DeviatingTask",
    "Driver",
    "FailedTask",
    "PastAttempt",
    "StageStatus",
    "State",
    "Story",
    "SweepStatus",
    "keys_told_of",
    "past_attempts",
    "retries_of",
    "status_of",
    "story_of",
]
