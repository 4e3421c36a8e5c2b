"""Where a sweep stands, as records. Nothing is read or decided here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.identity import Json
from jobs.outcome import Cause
from jobs.stages.table import StageKind
from orchestrator.status.eta import Eta


class State(StrEnum):
    """How a sweep stands as a whole."""

    NEW = "new"
    """No driver has begun to run it."""
    HELD = "held"
    """A driver holds it that has not begun to run tasks: it plans, or it logs to MLflow."""
    RUNNING = "running"
    COMPLETE = "complete"
    """Every wanted result was there when the last run ended."""
    FAILED = "failed"
    """The last run ended, and some task had failed."""
    STOPPED = "stopped"
    """The last run was asked to end: cancelled, out of budget, terminated."""
    INTERRUPTED = "interrupted"
    """The last run's driver ended without a word: it was killed, or its machine was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Who holds a sweep, or held it last.

    Attributes:
        host: Its machine.
        pid: Its process there.
        term: The number of its lease.
        since_s: When it took the sweep, seconds since the epoch.
        quiet_s: Seconds since its last heartbeat.
        alive: It shows that it lives, and has not let go of the sweep.
    """

    host: str
    pid: int
    term: int
    since_s: float
    quiet_s: float
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How many tasks of a stage are in which state.

    What started is not in the journal, only what ended, so `running` is as of the last count that is there.
    """

    stage: StageKind
    done: int = 0
    running: int = 0
    waiting: int = 0
    reused: int = 0
    failed: int = 0
    blocked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """A task that will not be tried again in this run."""

    key: str
    stage: StageKind
    label: str
    cause: Cause
    message: str
    host: str
    attempt: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviatingTask:
    """A task that ran twice, with another result the second time; the first one stands.

    Attributes:
        message: By how much, and why.
        nondeterministic: No other processor explains it.
    """

    key: str
    stage: StageKind
    label: str
    message: str
    nondeterministic: bool
    host: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStatus:
    """Where a sweep stands. `orchard status --json` prints these fields; they may grow, and none changes its meaning.

    Attributes:
        sweep: Its name.
        state: As a whole.
        reason: Why the last run was stopped; else empty.
        driver: Who holds it, or held it last; None where nobody ever did.
        runs: How many runs there were, the last one included.
        started_s: When the last run began, seconds since the epoch; None where there was none.
        duration_s: How long the last run has lasted, or lasted.
        time_left: Of a run that goes on, where there is something to go by.
        stages: Its tasks, in the order of the stages; those of the last run.
        attempts: Attempts of the last run that have ended, without those that found their result there.
        retries: Those of them that failed and were not the last word, by cause.
        failed_tasks: Of the last run.
        deviating_tasks: Of the last run.
        avoided_nodes: Nodes that the last run sends nothing to any more.
        gpu_hours: Spent by all runs together.
        gpu_hours_cap: What the sweep may spend; None: no cap.
        lost_entries: Entries that could not be written to the journal: so many may be missing above.
    """

    sweep: str
    state: State
    reason: str
    driver: Driver | None
    runs: int
    started_s: float | None
    duration_s: float
    time_left: Eta | None
    stages: tuple[StageStatus, ...]
    attempts: int
    retries: Mapping[Cause, int]
    failed_tasks: tuple[FailedTask, ...]
    deviating_tasks: tuple[DeviatingTask, ...]
    avoided_nodes: tuple[str, ...]
    gpu_hours: float
    gpu_hours_cap: float | None
    lost_entries: int

    def to_json(self) -> dict[str, Json]:
        """The fields as JSON."""
        return asdict(self)
