"""What a sweep's journal amounts to, taken in entry by entry: status, estimates and costs need nothing more of it.

As JSON it is a summary of the entries so far, from which the rest can be taken in (`orchestrator.status.reading`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from jobs.identity import Parsed
from jobs.outcome import Cause, Usage
from jobs.stages.table import StageKind
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.graph import TaskState
from orchestrator.status.eta import EtaEstimator
from orchestrator.status.record import DeviatingTask, Driver, FailedTask, StageStatus, State
from orchestrator.store.entries import UNREADABLE

_OPEN = (TaskState.RUNNING, TaskState.READY, TaskState.WAITING, TaskState.ELSEWHERE)
_COSTS = {"family", "work", "memory_bytes", "gpu_fraction"}
"""What entries of version 0.1 lack."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One driver's run so far.

    Attributes:
        started_s: When it began, seconds since the epoch; None before its first entry.
        last_s: When its last entry was written.
        term: Number of its driver's lease term.
        ended: Its driver has written its end.
        complete: Every target was finished then.
        stopped: Why it was stopped early; else empty.
        abrupt: It was stopped before it could log its end to MLflow.
        attempts: Attempts that have ended, without cache hits.
        retries: Failed attempts that were not final, by cause.
        failed: Tasks whose last failure is final, by key.
        deviating: Tasks that ran twice with different results.
        avoided: Nodes that it avoids.
        eta: Durations so far.
        counts: Tasks by stage and state, as last counted.
        since: Tasks that have ended since, by stage and state.
        elsewhere: Tasks that wait for drivers of other sweeps, by sweep, as last counted.
    """

    started_s: float | None = None
    last_s: float = 0.0
    term: int = 0
    ended: bool = False
    complete: bool = False
    stopped: str = ""
    abrupt: bool = False
    attempts: int = 0
    retries: Counter[Cause] = field(default_factory=Counter)
    failed: dict[str, FailedTask] = field(default_factory=dict)
    deviating: list[DeviatingTask] = field(default_factory=list)
    avoided: list[str] = field(default_factory=list)
    eta: EtaEstimator = field(default_factory=EtaEstimator)
    counts: dict[StageKind, Counter[TaskState]] = field(default_factory=dict)
    since: dict[StageKind, Counter[TaskState]] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)

    def take(self, entry: Parsed) -> None:
        """Take in the next entry; where the first one is unreadable, the run begins with the second."""
        self.last_s = entry["at_s"]
        self.started_s = self.last_s if self.started_s is None else self.started_s
        match entry["kind"]:
            case "start":
                self.started_s, self.term = entry["at_s"], entry["term"]
            case "counts":
                self.counts = {
                    StageKind(stage): Counter({TaskState(state): count for state, count in states.items()})
                    for stage, states in entry["stages"].items()
                }
                self.since, self.elsewhere = {}, entry.get("elsewhere", {})
            case "succeeded":
                self._succeed(entry)
            case "failed":
                self._fail(entry)
            case "avoided":
                self.avoided.append(entry["node"])
            case "end":
                self.ended, self.complete, self.stopped = True, entry["complete"], entry["stopped"]
                self.abrupt = entry.get("abrupt", False)

    def state(self, driver: Driver | None) -> State:
        """The state of the sweep if this is its last run."""
        held = driver is not None and driver.alive
        if held and driver is not None and (self.started_s is None or driver.term > self.term):
            return State.HELD
        if self.started_s is None:
            return State.NEW
        if not self.ended:
            return State.RUNNING if held else State.INTERRUPTED
        return State.COMPLETE if self.complete else State.STOPPED if self.stopped else State.FAILED

    def open_tasks(self) -> dict[StageKind, int]:
        """Tasks that have not ended, by stage; 0 where an unreadable line would have counted them."""
        found = {}
        for stage in StageKind:
            counted = self.counts.get(stage, Counter())
            still = sum(counted[state] for state in _OPEN) - self.since.get(stage, Counter()).total()
            found[stage] = max(0, still)
        return found

    def stages(self, goes_on: bool) -> Iterator[StageStatus]:
        """The stages that have tasks; `running` is 0 where the run has ended."""
        for stage, count in self.open_tasks().items():
            counts = self.counts.get(stage, Counter()) + self.since.get(stage, Counter())
            if counts:
                running = min(counts[TaskState.RUNNING], count) if goes_on else 0
                yield StageStatus(
                    stage=stage,
                    done=counts[TaskState.DONE],
                    running=running,
                    waiting=count - running,
                    reused=counts[TaskState.REUSED],
                    failed=counts[TaskState.FAILED],
                    blocked=counts[TaskState.BLOCKED],
                )

    def _succeed(self, entry: Parsed) -> None:
        stage = StageKind(entry["stage"])
        self._end(stage, TaskState.REUSED if entry["reused"] else TaskState.DONE)
        if not entry["reused"]:
            self.attempts += 1
            self.eta.observe(stage, entry["duration_s"], self.last_s - (self.started_s or 0.0))
        if "deviation" in entry:
            self.deviating.append(
                DeviatingTask(
                    key=entry["key"],
                    stage=stage,
                    label=entry["label"],
                    message=entry["deviation"],
                    nondeterministic=entry.get("nondeterministic", False),
                    host=entry["host"],
                    log=entry.get("log", ""),
                )
            )

    def _fail(self, entry: Parsed) -> None:
        stage, cause = StageKind(entry["stage"]), Cause(entry["cause"])
        self.attempts += 1
        if not entry["final"]:
            self.retries[cause] += 1
            return
        self._end(stage, TaskState.FAILED)
        self.failed[entry["key"]] = FailedTask(
            key=entry["key"],
            stage=stage,
            label=entry["label"],
            cause=cause,
            message=entry["message"],
            host=entry["host"],
            attempt=entry["attempt"],
            log=entry.get("log", ""),
        )

    def _end(self, stage: StageKind, state: TaskState) -> None:
        self.since.setdefault(stage, Counter())[state] += 1


@dataclass(slots=True, kw_only=True)
class History:
    """All runs of a sweep.

    Attributes:
        runs: Their number, the last one included.
        gpu_s: GPU-seconds that they spent.
        lost: Entries that could not be written to the journal.
        unreadable: Lines that cannot be read.
        closed: Number of the lease term of the last dead driver whose runs in MLflow were ended.
        cost_model: What they cost, for estimates.
        run: The last one.
    """

    runs: int = 0
    gpu_s: float = 0.0
    lost: int = 0
    unreadable: int = 0
    closed: int = 0
    cost_model: CostModel = field(default_factory=CostModel)
    run: Run = field(default_factory=Run)

    @classmethod
    def of(cls, entries: Iterable[Parsed]) -> "History":
        """That of a whole journal, oldest driver first."""
        history = cls()
        for entry in entries:
            history.take(entry)
        return history

    def take(self, entry: Parsed) -> None:
        """Take in the next entry."""
        if entry is UNREADABLE:
            self.unreadable += 1
            return
        if entry["kind"] == "closed":
            self.closed = entry["term"]
            return
        if entry["kind"] == "start":
            self.run, self.runs = Run(), self.runs + 1
        elif entry["kind"] == "lost":
            self.lost += entry["entries"]
        elif entry["kind"] == "succeeded" and entry.keys() >= _COSTS and not entry["reused"]:
            self.cost_model.observe(
                StageKind(entry["stage"]),
                entry["family"],
                duration_s=entry["duration_s"],
                work=entry["work"],
                usage=Usage(memory_bytes=entry["memory_bytes"], gpu_fraction=entry["gpu_fraction"]),
            )
        self.gpu_s += entry.get("gpu_s", 0.0)
        self.run.take(entry)

    def to_json(self) -> Parsed:
        """The summary of what was taken in, as JSON."""
        summary: Parsed = _HISTORY.dump_python(self, mode="json")
        return summary

    @classmethod
    def from_json(cls, value: Parsed) -> "History":
        """The history that `to_json` wrote.

        Raises:
            ValueError: It is none.
        """
        return _HISTORY.validate_python(value)


_HISTORY = TypeAdapter(History)
