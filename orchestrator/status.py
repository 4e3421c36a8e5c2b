"""Where a sweep stands, read from what its drivers wrote down: its journal and its lease.

Pure: entries in, a record out. The journal is read once, entry by entry, so that a million of them fit. This module
knows no store and prints nothing; whether results are there is the store's to say.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from jobs.identity import Json
from jobs.outcome import Cause
from jobs.task import StageKind
from orchestrator.pace import Pace, TimeLeft
from orchestrator.scheduling.graph import TaskState


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
    """How many tasks of a stage are in which state; `running` is as of the last count in the journal."""

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
    time_left: TimeLeft | None
    stages: tuple[StageStatus, ...]
    attempts: int
    retries: Mapping[Cause, int]
    failed_tasks: tuple[FailedTask, ...]
    avoided_nodes: tuple[str, ...]
    gpu_hours: float
    gpu_hours_cap: float | None
    lost_entries: int

    def to_json(self) -> dict[str, Json]:
        """The fields as JSON."""
        return asdict(self)


def status_of(
    sweep: str,
    entries: Iterable[Mapping[str, Json]],
    *,
    driver: Driver | None,
    gpu_hours_cap: float | None,
    now_s: float,
) -> SweepStatus:
    """Replay a sweep's journal.

    Args:
        sweep: Its name.
        entries: The journal, oldest driver first.
        driver: Who holds the sweep, or held it last.
        gpu_hours_cap: From the sweep file.
        now_s: The time, seconds since the epoch.
    """
    run, runs, gpu_s, lost = _Run(), 0, 0.0, 0
    for entry in entries:
        if entry["kind"] == "start":
            run, runs = _Run(), runs + 1
        elif entry["kind"] == "lost":
            lost += entry["entries"]
        gpu_s += entry.get("gpu_s", 0.0)
        run.take(entry)
    state = run.state(driver)
    goes_on = state is State.RUNNING
    duration_s = 0.0 if run.started_s is None else (now_s if goes_on else run.last_s) - run.started_s
    return SweepStatus(
        sweep=sweep,
        state=state,
        reason=run.stopped,
        driver=driver,
        runs=runs,
        started_s=run.started_s,
        duration_s=duration_s,
        time_left=run.pace.left(run.open_tasks(), duration_s) if goes_on else None,
        stages=tuple(run.stages(goes_on)),
        attempts=run.attempts,
        retries=dict(run.retries),
        failed_tasks=tuple(run.failed.values()),
        avoided_nodes=tuple(run.avoided),
        gpu_hours=gpu_s / 3600,
        gpu_hours_cap=gpu_hours_cap,
        lost_entries=lost,
    )


_OPEN = (TaskState.RUNNING, TaskState.READY, TaskState.WAITING)


class _Run:
    """One driver's run, entry by entry."""

    def __init__(self) -> None:
        self.started_s: float | None = None
        self.last_s = 0.0
        self.term = 0
        self.ended = self.complete = False
        self.stopped = ""
        self.attempts = 0
        self.retries: Counter[Cause] = Counter()
        self.failed: dict[str, FailedTask] = {}
        self.avoided: list[str] = []
        self.pace = Pace()
        self._counts: Counter[tuple[StageKind, TaskState]] = Counter()

    def take(self, entry: Mapping[str, Json]) -> None:
        """What happened next."""
        self.last_s = entry["at_s"]
        match entry["kind"]:
            case "start":
                self.started_s, self.term = entry["at_s"], entry["term"]
            case "counts":
                self._counts = Counter(
                    {
                        (StageKind(stage), TaskState(state)): count
                        for stage, states in entry["stages"].items()
                        for state, count in states.items()
                    }
                )
            case "succeeded":
                self._succeed(entry)
            case "failed":
                self._fail(entry)
            case "avoided":
                self.avoided.append(entry["node"])
            case "end":
                self.ended, self.complete, self.stopped = True, entry["complete"], entry["stopped"]

    def state(self, driver: Driver | None) -> State:
        """How the sweep stands if this is its last run."""
        held = driver is not None and driver.alive
        if held and driver is not None and (self.started_s is None or driver.term > self.term):
            return State.HELD
        if self.started_s is None:
            return State.NEW
        if not self.ended:
            return State.RUNNING if held else State.INTERRUPTED
        return State.COMPLETE if self.complete else State.STOPPED if self.stopped else State.FAILED

    def open_tasks(self) -> dict[StageKind, int]:
        """Tasks that have not ended, by stage."""
        return {stage: sum(self._counts[stage, state] for state in _OPEN) for stage in StageKind}

    def stages(self, goes_on: bool) -> Iterable[StageStatus]:
        """The stages that have tasks; where the run has ended, none of them runs."""
        for stage, count in self.open_tasks().items():
            counts = {state: self._counts[stage, state] for state in TaskState}
            if any(counts.values()):
                running = counts[TaskState.RUNNING] if goes_on else 0
                yield StageStatus(
                    stage=stage,
                    done=counts[TaskState.DONE],
                    running=running,
                    waiting=count - running,
                    reused=counts[TaskState.REUSED],
                    failed=counts[TaskState.FAILED],
                    blocked=counts[TaskState.BLOCKED],
                )

    def _succeed(self, entry: Mapping[str, Json]) -> None:
        stage = StageKind(entry["stage"])
        self._move(stage, TaskState.REUSED if entry["reused"] else TaskState.DONE)
        if not entry["reused"]:
            self.attempts += 1
            self.pace.observe(stage, entry["duration_s"])

    def _fail(self, entry: Mapping[str, Json]) -> None:
        stage, cause = StageKind(entry["stage"]), Cause(entry["cause"])
        self.attempts += 1
        if not entry["final"]:
            self.retries[cause] += 1
            return
        self._move(stage, TaskState.FAILED)
        self.failed[entry["key"]] = FailedTask(
            key=entry["key"],
            stage=stage,
            label=entry["label"],
            cause=cause,
            message=entry["message"],
            host=entry["host"],
            attempt=entry["attempt"],
            log=entry["log"],
        )

    def _move(self, stage: StageKind, state: TaskState) -> None:
        """A task ended after the last count: it was one of those that were open."""
        was = next((each for each in _OPEN if self._counts[stage, each]), None)
        if was is not None:
            self._counts[stage, was] -= 1
        self._counts[stage, state] += 1
