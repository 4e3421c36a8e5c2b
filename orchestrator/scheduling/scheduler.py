"""The scheduler of a sweep: outcomes in, attempts out.

Pure in the sense that matters: no clock, no disk, no Ray, and the same events give the same attempts. The state is
mutable, because a copy per event would make a sweep of n tasks cost n^2. The policies are in the modules beside it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.identity import Json
from jobs.outcome import INHERENT, Cause, Failed, Outcome, Succeeded
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Attempt, Task
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.decision import Decision, decide
from orchestrator.scheduling.graph import FINISHED, Graph, TaskNode, TaskState
from orchestrator.scheduling.nodes import NodeHealth
from orchestrator.scheduling.spending import Caps, Spending

_DIGITS = 6
"""Of slots that are told to others; shares of a GPU are no smaller."""


class Lane(StrEnum):
    """Attempts in flight are limited per lane, so that CPU work continues while all GPUs are busy."""

    CPU = "cpu"
    GPU = "gpu"


def lane_of(resources: Resources) -> Lane:
    """The lane of a request."""
    return Lane.GPU if resources.num_gpus > 0 else Lane.CPU


def slots_of(resources: Resources) -> float:
    """The number of slots of its lane that a request occupies: GPUs or CPUs."""
    return resources.num_gpus or resources.num_cpus


@dataclass(slots=True)
class _FailureHistory:
    """The failures of a task so far, when its next attempt is due, its request if that was changed, and unfit nodes."""

    failures: Counter[Cause] = field(default_factory=Counter)
    due_s: float = 0.0
    resources: Resources | None = None
    unfit: frozenset[str] = frozenset()


class Scheduler:
    """The state of a running sweep.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the target tasks; tasks that no target needs are not run.
        limits: Slots (`slots_of`) that may be in flight in each lane.
        resources: Requests of appearing tasks, by stage; default: one CPU.
        cost_model: Predicts costs from earlier attempts; it is updated with new ones.
        spending: The sweep's caps and what earlier runs spent; default: no caps.
        memory_limit: The most memory that an attempt with a request's CPUs and GPUs can ask for, in bytes; 0 where
            unknown.

    Attributes:
        limits: May be changed at any time.
        ended: The attempts that ended in the last `step`, by key.
        decisions: The decisions about those that failed, by key.
        failures: All final failures.
        retries: Number of retries, by cause of the failure.
        stopped: Why nothing more is submitted; empty while the scheduler is not stopped.
        elsewhere: The tasks that drivers of other sweeps compute: key -> sweep.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        targets: Sequence[str],
        *,
        limits: Mapping[Lane, float],
        resources: Mapping[StageKind, Resources] | None = None,
        cost_model: CostModel | None = None,
        spending: Spending | None = None,
        memory_limit: Callable[[Resources], int] = lambda asked: 0,
    ) -> None:
        self._tasks, self._targets = tasks, targets
        self._resources = resources or {}
        self._cost_model = cost_model or CostModel()
        self._spending = spending or Spending(Caps())
        self._memory_limit = memory_limit
        self._health = NodeHealth()
        self._graph: Graph
        self._ready: dict[Lane, list[tuple[float, float, int, str]]] = {lane: [] for lane in Lane}
        self._delayed: list[tuple[float, int, str]] = []
        self._running: dict[str, Attempt] = {}
        self._left: dict[str, Attempt] = {}
        self._histories: dict[str, _FailureHistory] = {}
        self._demand = dict.fromkeys(Lane, 0.0)
        self._in_flight = dict.fromkeys(Lane, 0.0)
        self._sequence = 0
        self.limits = dict(limits)
        self.ended: dict[str, Attempt] = {}
        self.decisions: dict[str, Decision] = {}
        self.failures: list[Failed] = []
        self.retries: Counter[Cause] = Counter()
        self.stopped = ""
        self.elsewhere: dict[str, str] = {}

    def start(
        self, present: frozenset[str], measured: Mapping[str, Mapping[str, Json]], now_s: float = 0.0
    ) -> list[Attempt]:
        """Start, given the contents of the store; returns the first attempts.

        Args:
            present: Committed keys, including those of appearing tasks.
            measured: Measurements of the committed sources of joining tasks, by key.
            now_s: The time.

        Raises:
            KeyError: The measurements of a committed source are missing.
        """
        self._graph = Graph(
            self._tasks,
            self._targets,
            resources=self._resources,
            path_s=self._cost_model.path_s,
            present=present,
            measured=measured,
        )
        self._make_ready(self._graph.startable(), now_s)
        return list(self._submissions(now_s))

    def step(
        self, outcomes: Sequence[Outcome], now_s: float = 0.0, *, elsewhere: Mapping[str, str] | None = None
    ) -> list[Attempt]:
        """Process outcomes and the time; returns attempts to submit.

        Args:
            outcomes: Of attempts in flight, and cache hits of tasks that are elsewhere; others are ignored.
            now_s: The time.
            elsewhere: Which sweep computes the tasks that were `elsewhere`, by key; those that are not in it any more
                are ready again. None: as before.
        """
        self.ended, self.decisions = {}, {}
        for outcome in outcomes:
            attempt = self._landed(outcome)
            if attempt is not None:
                self.ended[outcome.key] = attempt
                self._health.observe(outcome)
                node = self._graph.nodes[outcome.key]
                if isinstance(outcome, Succeeded):
                    self._succeed(node, outcome, now_s)
                else:
                    self._fail(node, outcome, attempt, now_s)
        while self._delayed and self._delayed[0][0] <= now_s:
            self._enqueue(self._graph.nodes[heapq.heappop(self._delayed)[-1]])
        if elsewhere is not None:
            self._return(elsewhere, now_s)
        return list(self._submissions(now_s))

    def leave(self, elsewhere: Mapping[str, str], now_s: float = 0.0) -> list[Attempt]:
        """Leave tasks to the drivers of other sweeps; returns attempts to submit in their place.

        Args:
            elsewhere: The sweep, by the key of an attempt that was to be submitted; "" where the store did not answer
                whose it is. Then there are no others to submit before the next `step`: they would be asked about in
                vain, one after another.
            now_s: The time.
        """
        for key, sweep in elsewhere.items():
            attempt = self._running.pop(key)
            self._settle(attempt, spent_s=0.0)
            self._graph.move(self._graph.nodes[key], TaskState.ELSEWHERE)
            self._left[key], self.elsewhere[key] = attempt, sweep
        return list(self._submissions(now_s)) if all(elsewhere.values()) else []

    def stop(self, reason: str) -> None:
        """Submit nothing more; attempts in flight are awaited, and not retried if they fail."""
        self.stopped = self.stopped or reason

    @property
    def in_flight(self) -> int:
        """Number of attempts that are submitted and have not ended."""
        return len(self._running)

    @property
    def finished(self) -> bool:
        """Whether nothing is in flight and nothing more will be submitted."""
        more = any(self._ready.values()) or self._delayed or self.elsewhere
        return not self._running and (bool(self.stopped) or not more)

    @property
    def complete(self) -> bool:
        """Whether every target is finished."""
        return all(self._graph.nodes[key].state in FINISHED for key in self._targets)

    @property
    def wake_s(self) -> float | None:
        """When the next delayed retry is due; None where there is none."""
        return self._delayed[0][0] if self._delayed else None

    @property
    def counts(self) -> Counter[tuple[StageKind, TaskState]]:
        """Tasks by stage and state."""
        return self._graph.counts

    @property
    def demand(self) -> Mapping[Lane, float]:
        """Slots that all ready and running tasks would occupy."""
        # Sums of fractions of a GPU do not come back to 0 exactly.
        return {lane: max(0.0, round(slots, _DIGITS)) for lane, slots in self._demand.items()}

    @property
    def avoided(self) -> frozenset[str]:
        """Nodes to which no attempt is sent any more, because one task after another died there."""
        return self._health.avoided

    @property
    def gpu_s(self) -> float:
        """GPU-seconds spent, earlier runs included."""
        return self._spending.gpu_s

    def state_of(self, key: str) -> TaskState | None:
        """The state of a task; None if no target needs it."""
        node = self._graph.nodes.get(key)
        return node.state if node else None

    def task(self, key: str) -> Task:
        """A task that some target needs, appearing tasks included.

        Raises:
            KeyError: No target needs it.
        """
        return self._graph.nodes[key].task

    def _landed(self, outcome: Outcome) -> Attempt | None:
        """The attempt that an outcome ends; None where there is none."""
        attempt = self._running.pop(outcome.key, None)
        if attempt is not None:
            self._settle(attempt, spent_s=outcome.duration_s)
            return attempt
        self.elsewhere.pop(outcome.key, None)
        return self._left.pop(outcome.key, None)

    def _return(self, elsewhere: Mapping[str, str], now_s: float) -> None:
        """Note who computes the tasks that are elsewhere, and queue those that nobody does."""
        self.elsewhere = {key: elsewhere[key] for key in self._left if key in elsewhere}
        for key in [key for key in self._left if key not in elsewhere]:
            del self._left[key]
            self._make_ready([self._graph.nodes[key]], now_s)

    def _settle(self, attempt: Attempt, *, spent_s: float) -> None:
        lane, slots = lane_of(attempt.resources), slots_of(attempt.resources)
        self._in_flight[lane] -= slots
        self._demand[lane] -= slots
        gpus = attempt.resources.num_gpus
        if gpus:
            self._spending.settle(reserved_gpu_s=gpus * attempt.expected_s, spent_gpu_s=gpus * spent_s)

    def _succeed(self, node: TaskNode, outcome: Succeeded, now_s: float) -> None:
        task = node.task
        self._histories.pop(task.key, None)
        if not outcome.reused:
            self._cost_model.observe(
                task.stage, task.family, duration_s=outcome.duration_s, work=task.work, usage=outcome.usage
            )
        self._make_ready(self._graph.reveal(node, outcome.measurements), now_s)
        self._make_ready(self._graph.finish(node, TaskState.REUSED if outcome.reused else TaskState.DONE), now_s)

    def _fail(self, node: TaskNode, failure: Failed, attempt: Attempt, now_s: float) -> None:
        history = self._histories.setdefault(failure.key, _FailureHistory())
        # Losses after progress are no sign of a task that kills its workers: counting begins anew.
        history.failures[failure.cause] = 0 if failure.progressed else history.failures[failure.cause] + 1
        if failure.cause is Cause.UNFIT_MACHINE:
            history.unfit |= {failure.node}
        decision = self.decisions[failure.key] = decide(
            failure,
            count=history.failures[failure.cause],
            attempt=attempt,
            memory_limit_bytes=self._memory_limit(attempt.resources),
            avoided=self._health.avoided | history.unfit,
            stopped=self.stopped,
            damaged_is_ours=self.state_of(failure.damaged) is not None,
        )
        retry = decision.retry
        if decision.final:
            self.failures.append(failure)
            self._make_ready(self._graph.fail(node, inherent=failure.cause in INHERENT), now_s)
            return
        if retry is None:
            self._graph.move(node, TaskState.READY)  # interrupted, not failed: the next run continues with it
            return
        self.retries[failure.cause] += 1
        if retry.resources != attempt.resources:
            history.resources = retry.resources
        history.due_s = now_s + retry.delay_s
        self._make_ready(self._graph.redo(node, decision.damaged) if decision.damaged else [node], now_s)

    def _make_ready(self, nodes: Iterable[TaskNode], now_s: float) -> None:
        """Queue tasks, those whose retry is not due yet for later."""
        for node in nodes:
            self._graph.move(node, TaskState.READY)
            history = self._histories.get(node.task.key)
            if history and history.due_s > now_s:
                self._sequence += 1
                heapq.heappush(self._delayed, (history.due_s, self._sequence, node.task.key))
            else:
                self._enqueue(node)

    def _enqueue(self, node: TaskNode) -> None:
        """Queue a task: longest path to a target first, then largest work, then plan order."""
        self._sequence += 1
        resources = self._request(node)
        self._demand[lane_of(resources)] += slots_of(resources)
        rank = (-node.path_s, -node.task.work, self._sequence, node.task.key)
        heapq.heappush(self._ready[lane_of(resources)], rank)

    def _request(self, node: TaskNode) -> Resources:
        history = self._histories.get(node.task.key)
        return (history and history.resources) or node.task.resources

    def _submissions(self, now_s: float) -> Iterator[Attempt]:
        for lane, heap in self._ready.items():
            while heap and not self.stopped and self._in_flight[lane] < self.limits[lane]:
                attempt = self._attempt(self._graph.nodes[heap[0][-1]])
                exceeded = self._spending.exceeded(now_s, attempt.resources.num_gpus * attempt.expected_s)
                if exceeded:
                    if not self._running:
                        self.stop(exceeded)
                    break
                heapq.heappop(heap)
                self._submit(attempt, lane)
                yield attempt

    def _attempt(self, node: TaskNode) -> Attempt:
        task = node.task
        asked = self._request(node)
        history = self._histories.get(task.key)
        return Attempt(
            task=task,
            number=history.failures.total() + 1 if history else 1,
            resources=self._cost_model.resources(task) if asked is task.resources else asked,
            avoid=self._health.avoided | (history.unfit if history else frozenset()),
            expected_s=self._cost_model.expected_s(task),
        )

    def _submit(self, attempt: Attempt, lane: Lane) -> None:
        key, slots = attempt.task.key, slots_of(attempt.resources)
        self._graph.move(self._graph.nodes[key], TaskState.RUNNING)
        self._running[key] = attempt
        self._in_flight[lane] += slots
        self._demand[lane] += slots - slots_of(self._request(self._graph.nodes[key]))
        self._spending.reserve(attempt.resources.num_gpus * attempt.expected_s)
