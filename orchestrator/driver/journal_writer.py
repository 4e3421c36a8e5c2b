"""Writes a running sweep's attempts to the journal.

The journal is for people and for estimates; results are read only from the store's artifacts.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from jobs.identity import Json
from jobs.outcome import Failed, Outcome, Succeeded
from jobs.stages.table import StageKind
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import Journal

_COUNT_INTERVAL_S = 10.0


class JournalWriter:
    """An observer that writes every attempt to the journal, with its cause, host, duration and cost.

    Args:
        journal: The journal to write to.
        clock: A monotonic clock, in seconds.
        stored: The sweep's tasks that were in the store when the run began, by key: those that nothing needs any more
            are not in the scheduler, and count as reused.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
        *,
        stored: Mapping[str, StageKind] | None = None,
    ) -> None:
        self._journal = journal
        self._stored = stored or {}
        self._clock = clock
        self._avoided: frozenset[str] = frozenset()
        self._tasks = 0
        self._elsewhere: frozenset[str] = frozenset()
        self._counted_s = clock()

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Append the outcomes and flush them."""
        for outcome in outcomes:
            kind, fields = _entry(scheduler, outcome)
            self._journal.append(kind, **fields)
        for node in scheduler.avoided - self._avoided:
            self._journal.append("avoided", node=node)
        self._avoided = scheduler.avoided
        self._count(scheduler, outcomes)
        self._journal.flush()  # in every round: entries may still wait for the flush interval

    def _count(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Write the counts from time to time, and whenever they cannot be derived from the outcomes."""
        tasks, now_s = scheduler.counts.total(), self._clock()
        elsewhere = frozenset(scheduler.elsewhere.values())
        failed = any(isinstance(outcome, Failed) for outcome in outcomes)
        due = outcomes and now_s - self._counted_s >= _COUNT_INTERVAL_S
        changed = (tasks, elsewhere) != (self._tasks, self._elsewhere)
        if changed or failed or due or scheduler.finished:
            self._tasks, self._elsewhere, self._counted_s = tasks, elsewhere, now_s
            self._journal.append("counts", **counts_json(scheduler, self._stored))


def counts_json(scheduler: Scheduler, stored: Mapping[str, StageKind]) -> dict[str, Json]:
    """Tasks by stage and state, and those elsewhere by sweep, zeros left out; see `JournalWriter` for `stored`."""
    counts = Counter(scheduler.counts)
    counts.update((stage, TaskState.REUSED) for key, stage in stored.items() if scheduler.state_of(key) is None)
    stages: dict[str, dict[str, int]] = {}
    for (stage, state), count in counts.items():
        if count:
            stages.setdefault(stage.value, {})[state.value] = count
    elsewhere = Counter(scheduler.elsewhere.values())
    return {"stages": stages, **({"elsewhere": dict(elsewhere)} if elsewhere else {})}


def _entry(scheduler: Scheduler, outcome: Outcome) -> tuple[str, dict[str, Json]]:
    task, attempt = scheduler.task(outcome.key), scheduler.ended[outcome.key]
    fields: dict[str, Json] = {
        "key": outcome.key,
        "stage": task.stage.value,
        "label": task.label,
        "family": task.family,
        "attempt": attempt.number,
        "resources": attempt.resources.to_json(),
        "duration_s": round(outcome.duration_s, 4),
        "gpu_s": round(outcome.duration_s * attempt.resources.num_gpus, 4),
        "host": outcome.host,
        "node": outcome.node,
        "memory_bytes": outcome.usage.memory_bytes,
        "gpu_fraction": round(outcome.usage.gpu_fraction, 4),
        "log": outcome.log,
    }
    if isinstance(outcome, Succeeded):
        how: dict[str, Json] = {"work": task.work, "reused": outcome.reused}
        if outcome.deviation:
            how |= {"deviation": outcome.deviation, "nondeterministic": outcome.nondeterministic}
        return "succeeded", fields | how
    failure = {"cause": outcome.cause.value, "message": outcome.message}
    return "failed", fields | failure | scheduler.decisions[outcome.key].to_json()
