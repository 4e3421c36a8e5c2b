"""The records of a sweep's status."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.identity import Json
from jobs.outcome import Cause
from jobs.stages.table import StageKind
from orchestrator.status.eta import Eta


class State(StrEnum):
    """The overall state of a sweep."""

    NEW = "new"
    """No driver has started it."""
    HELD = "held"
    """A driver has its lease but runs no tasks: it is planning, or logging to MLflow."""
    RUNNING = "running"
    COMPLETE = "complete"
    """Every target was finished when the last run ended."""
    FAILED = "failed"
    """The last run ended with failed tasks."""
    STOPPED = "stopped"
    """The last run was stopped: cancelled, out of budget, terminated."""
    INTERRUPTED = "interrupted"
    """The last run's driver died: it was killed, or its machine was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The driver that has a sweep's lease, or had it last.

    Attributes:
        host: Its host name.
        pid: Its process id.
        term: The number of its lease term.
        since_s: When its term began, seconds since the epoch.
        quiet_s: Seconds since its last heartbeat.
        alive: Its heartbeat is recent, and it has not released the lease.
    """

    host: str
    pid: int
    term: int
    since_s: float
    quiet_s: float
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """Task counts of a stage by state.

    The journal records the end of attempts, not their start, so `running` is as of the last recorded counts.
    """

    stage: StageKind
    done: int = 0
    running: int = 0
    waiting: int = 0
    reused: int = 0
    failed: int = 0
    blocked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """What is told of a task that failed.

    Attributes:
        key: The task.
        stage: Its stage.
        label: Its label.
        cause: Why it failed.
        message: One line.
        log: Address of the attempt's log; empty where none was written.
    """

    key: str
    stage: StageKind
    label: str
    cause: Cause
    message: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask(TaskFailure):
    """A task whose last failure is final, with the host and the number of that attempt."""

    host: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviatingTask:
    """A task that ran twice with different results; the first result is kept.

    Attributes:
        message: By how much they differ, and why.
        nondeterministic: The processor does not explain the difference.
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
    """The status of a sweep, as `orchard status --json` prints it. Fields may be added; their meaning does not change.

    Attributes:
        sweep: Its name.
        state: Its overall state.
        reason: Why the last run was stopped; else empty.
        driver: The driver that has its lease, or had it last; None where there was none.
        runs: Number of runs, the last one included.
        started_s: When the last run began, seconds since the epoch; None where there was none.
        duration_s: Duration of the last run so far.
        time_left: ETA of a run in progress; None where it cannot be estimated.
        stages: Task counts of the last run, in the order of the stages.
        attempts: Attempts of the last run that have ended, without cache hits.
        retries: Number of failed attempts of the last run that were not final, by cause.
        failed_tasks: Failed tasks of the last run.
        deviating_tasks: Deviating tasks of the last run.
        avoided_nodes: Nodes that the last run avoids.
        elsewhere: How many tasks wait for drivers of other sweeps that compute them, by sweep, as of the last counts.
        gpu_hours: GPU-hours spent by all runs.
        gpu_hours_cap: The sweep's budget of GPU-hours; None: no cap.
        lost_entries: Number of entries that could not be written to the journal.
        problem: What is wrong with the sweep's record in the store; empty where nothing is.
        unreadable_entries: Number of lines of the journal that are torn or changed, and passed over.
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
    elsewhere: Mapping[str, int]
    gpu_hours: float
    gpu_hours_cap: float | None
    lost_entries: int
    unreadable_entries: int
    problem: str = ""

    def to_json(self) -> dict[str, Json]:
        """The fields as JSON."""
        return asdict(self)
