"""Shows the progress of a running sweep: a live table on a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.status.eta import EtaEstimator

_PLAIN_INTERVAL_S = 10.0
_LIVE_INTERVAL_S = 0.25
_OPEN = (TaskState.WAITING, TaskState.READY, TaskState.RUNNING, TaskState.ELSEWHERE)


class ProgressDisplay:
    """An observer that shows task counts and the ETA; a context manager.

    Args:
        console: The console to write to.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._last = -math.inf
        self._started = clock()
        self._eta = EtaEstimator()
        self._told: set[tuple[StageKind, Cause, str]] = set()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Print failures, the first of equal ones, and refresh the display if it is due."""
        now = self._clock()
        for outcome in outcomes:
            task = scheduler.task(outcome.key)
            if isinstance(outcome, Failed) and scheduler.state_of(outcome.key) is TaskState.FAILED:
                self._tell(task, outcome)
            if isinstance(outcome, Succeeded) and outcome.nondeterministic:
                self._print(f"not deterministic: {task.stage} {task.label}: {outcome.deviation}; log: {outcome.log}")
            if isinstance(outcome, Succeeded) and not outcome.reused:
                self._eta.observe(task.stage, outcome.duration_s, now - self._started)
        interval = _LIVE_INTERVAL_S if self._live else _PLAIN_INTERVAL_S
        if now - self._last < interval and not scheduler.finished:
            return
        self._last = now
        if self._live:
            self._live.update(self._table(scheduler), refresh=True)
        elif scheduler.counts.total():
            self._print(self._line(scheduler))

    def _tell(self, task: Task, failure: Failed) -> None:
        """Print a failure if none like it was printed; the run's end says how many there were."""
        kind = (task.stage, failure.cause, failure.message)
        if kind not in self._told:
            self._told.add(kind)
            where = f"; log: {failure.log}" if failure.log else ""
            self._print(f"failed ({failure.cause}): {task.stage} {task.label}: {failure.message}{where}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _table(self, scheduler: Scheduler) -> Table:
        table = Table(title=self._time_line(scheduler), title_justify="left")
        table.add_column("stage")
        for heading in ("done", "running", "waiting", "reused", "failed", "blocked"):
            table.add_column(heading, justify="right")
        for stage in StageKind:
            counts = {state: scheduler.counts[stage, state] for state in TaskState}
            if not any(counts.values()):
                continue
            waiting = counts[TaskState.WAITING] + counts[TaskState.READY] + counts[TaskState.ELSEWHERE]
            shown = (counts[TaskState.DONE], counts[TaskState.RUNNING], waiting, counts[TaskState.REUSED])
            ended = (counts[TaskState.FAILED], counts[TaskState.BLOCKED])
            table.add_row(stage.value, *(str(count) if count else "·" for count in (*shown, *ended)))
        return table

    def _line(self, scheduler: Scheduler) -> str:
        parts = []
        for stage in StageKind:
            counts = {state: scheduler.counts[stage, state] for state in TaskState}
            total = sum(counts.values())
            if total:
                finished = counts[TaskState.DONE] + counts[TaskState.REUSED]
                reused = f" ({counts[TaskState.REUSED]} reused)" if counts[TaskState.REUSED] else ""
                parts.append(f"{stage} {finished}/{total}{reused}")
        return f"{self._time_line(scheduler)}: {', '.join(parts)}"

    def _time_line(self, scheduler: Scheduler) -> str:
        elapsed = self._clock() - self._started
        others = ", ".join(sorted({sweep or "the store" for sweep in scheduler.elsewhere.values()}))
        waiting = f", {len(scheduler.elsewhere)} tasks wait for {others}" if others else ""
        return f"{_clock(elapsed)} elapsed{self._time_left(scheduler, elapsed)}{waiting}"

    def _time_left(self, scheduler: Scheduler, elapsed_s: float) -> str:
        open_tasks = {stage: sum(scheduler.counts[stage, state] for state in _OPEN) for stage in StageKind}
        left = self._eta.estimate(open_tasks, elapsed_s)
        return f", {'at least' if left.at_least else 'about'} {_clock(left.seconds)} left" if left else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
