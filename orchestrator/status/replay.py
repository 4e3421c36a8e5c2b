"""Computes the status of a sweep by replaying its journal, entry by entry, so that long journals need little memory."""

from collections import Counter
from collections.abc import Iterable

from jobs.identity import Parsed
from jobs.outcome import Cause
from jobs.stages.table import StageKind
from orchestrator.scheduling.graph import TaskState
from orchestrator.status.eta import EtaEstimator
from orchestrator.status.record import DeviatingTask, Driver, FailedTask, StageStatus, State, SweepStatus
from orchestrator.store.entries import UNREADABLE


def status_of(
    sweep: str,
    entries: Iterable[Parsed],
    *,
    driver: Driver | None,
    gpu_hours_cap: float | None,
    now_s: float,
    problem: str = "",
) -> SweepStatus:
    """Replay a sweep's journal.

    Args:
        sweep: Its name.
        entries: The journal, oldest driver first.
        driver: The driver that has the sweep's lease, or had it last.
        gpu_hours_cap: From the sweep file.
        now_s: The time, seconds since the epoch.
        problem: What is wrong with the sweep's record.
    """
    run, runs, gpu_s, lost, unreadable = _Run(), 0, 0.0, 0, 0
    for entry in entries:
        if entry is UNREADABLE:
            unreadable += 1
            continue
        if entry["kind"] == "start":
            run, runs = _Run(), runs + 1
        elif entry["kind"] == "lost":
            lost += entry["entries"]
        gpu_s += entry.get("gpu_s", 0.0)
        run.take(entry)
    state = run.state(driver)
    goes_on = state is State.RUNNING
    duration_s = 0.0 if run.started_s is None else max(0.0, (now_s if goes_on else run.last_s) - run.started_s)
    return SweepStatus(
        sweep=sweep,
        state=state,
        reason=run.stopped,
        driver=driver,
        runs=runs,
        started_s=run.started_s,
        duration_s=duration_s,
        time_left=run.eta.estimate(run.open_tasks(), duration_s) if goes_on else None,
        stages=tuple(run.stages(goes_on)),
        attempts=run.attempts,
        retries=dict(run.retries),
        failed_tasks=tuple(run.failed.values()),
        deviating_tasks=tuple(run.deviating),
        avoided_nodes=tuple(run.avoided),
        elsewhere=run.elsewhere if goes_on else {},
        gpu_hours=gpu_s / 3600,
        gpu_hours_cap=gpu_hours_cap,
        lost_entries=lost,
        unreadable_entries=unreadable,
        problem=problem,
    )


_OPEN = (TaskState.RUNNING, TaskState.READY, TaskState.WAITING, TaskState.ELSEWHERE)


class _Run:
    """One driver's run, updated entry by entry."""

    def __init__(self) -> None:
        self.started_s: float | None = None
        self.last_s = 0.0
        self.term = 0
        self.ended = self.complete = False
        self.stopped = ""
        self.attempts = 0
        self.retries: Counter[Cause] = Counter()
        self.failed: dict[str, FailedTask] = {}
        self.deviating: list[DeviatingTask] = []
        self.avoided: list[str] = []
        self.eta = EtaEstimator()
        self.elsewhere: dict[str, int] = {}
        self._counts: Counter[tuple[StageKind, TaskState]] = Counter()
        self._ended: Counter[tuple[StageKind, TaskState]] = Counter()  # since the last count

    def take(self, entry: Parsed) -> None:
        """Process the next entry; where the first one is unreadable, the run begins with the second."""
        self.last_s = entry["at_s"]
        self.started_s = self.last_s if self.started_s is None else self.started_s
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
                self._ended.clear()
                self.elsewhere = entry.get("elsewhere", {})
            case "succeeded":
                self._succeed(entry)
            case "failed":
                self._fail(entry)
            case "avoided":
                self.avoided.append(entry["node"])
            case "end":
                self.ended, self.complete, self.stopped = True, entry["complete"], entry["stopped"]

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
        return {
            stage: max(
                0,
                sum(self._counts[stage, state] for state in _OPEN)
                - sum(self._ended[stage, state] for state in TaskState),
            )
            for stage in StageKind
        }

    def stages(self, goes_on: bool) -> Iterable[StageStatus]:
        """The stages that have tasks; `running` is 0 where the run has ended."""
        for stage, count in self.open_tasks().items():
            counts = {state: self._counts[stage, state] + self._ended[stage, state] for state in TaskState}
            if any(counts.values()):
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
        self._ended[stage, TaskState.REUSED if entry["reused"] else TaskState.DONE] += 1
        if not entry["reused"]:
            self.attempts += 1
            self.eta.observe(stage, entry["duration_s"])
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
        self._ended[stage, TaskState.FAILED] += 1
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
