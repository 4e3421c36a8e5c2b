"""The scheduling decisions: events in, attempts out.

No clock, no disk, no Ray: what happened and when is told by `start` and `step`, what to run is returned, and the same
events give the same attempts. The state is mutable because a copy per event would make a sweep of n tasks cost n^2.
What is decided how stands in `orchestrator.scheduling`; here it is put together.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.identity import Json
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Attempt, Task
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.decision import Decision, decide
from orchestrator.scheduling.graph import FINISHED, Graph, TaskNode, TaskState
from orchestrator.scheduling.nodes import NodeHealth
from orchestrator.scheduling.spending import Caps, Spending


class Lane(StrEnum):
    """What is in flight is bounded per lane, so that CPU work goes on while all GPUs are busy."""

    CPU = "cpu"
    GPU = "gpu"


def lane_of(resources: Resources) -> Lane:
    """The lane of a request."""
    return Lane.GPU if resources.num_gpus > 0 else Lane.CPU


def slots_of(resources: Resources) -> float:
    """How many slots of its lane a request fills: GPUs in one, CPUs in the other."""
    return resources.num_gpus or resources.num_cpus


@dataclass(slots=True)
class _Trouble:
    """What went wrong with a task so far, and what that means for its next attempt."""

    failures: Counter[Cause] = field(default_factory=Counter)
    resources: Resources | None = None


class Scheduler:
    """The state of a running sweep.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the wanted tasks; what they do not need is not run.
        limits: How many slots (`slots_of`) may be in flight in each lane.
        resources: What tasks that appear ask of the cluster, by stage; default: one CPU.
        cost_model: What earlier attempts took; it learns on.
        spending: The sweep's caps and what earlier runs spent; default: no caps.
        node_memory_bytes: Memory of the largest node; 0 where unknown.

    Attributes:
        limits: May be changed at any time.
        ended: The attempts whose outcomes the last `step` took in, by key.
        decisions: What it decided of those that failed, by key.
        failures: The final ones.
        retries: Attempts that were made again, by cause of the failure.
        stopped: Why nothing more is submitted, in words; empty while that is not so.
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
        node_memory_bytes: int = 0,
    ) -> None:
        self._tasks, self._targets = tasks, targets
        self._resources = resources or {}
        self._experience = cost_model or CostModel()
        self._spending = spending or Spending(Caps())
        self._node_memory_bytes = node_memory_bytes
        self._health = NodeHealth()
        self._graph: Graph
        self._ready: dict[Lane, list[tuple[float, float, int, str]]] = {lane: [] for lane in Lane}
        self._delayed: list[tuple[float, int, str]] = []
        self._running: dict[str, Attempt] = {}
        self._troubles: dict[str, _Trouble] = {}
        self._demand = dict.fromkeys(Lane, 0.0)
        self._in_flight = dict.fromkeys(Lane, 0.0)
        self._sequence = 0
        self.limits = dict(limits)
        self.ended: dict[str, Attempt] = {}
        self.decisions: dict[str, Decision] = {}
        self.failures: list[Failed] = []
        self.retries: Counter[Cause] = Counter()
        self.stopped = ""

    def start(
        self, present: frozenset[str], measured: Mapping[str, Mapping[str, Json]], now_s: float = 0.0
    ) -> list[Attempt]:
        """Take in what the store has, and begin.

        Args:
            present: Committed keys, those of tasks that appear among them.
            measured: What the committed sources of joining tasks have measured, by key.
            now_s: The time.

        Raises:
            KeyError: What a committed source of joining tasks has measured is not given.
        """
        self._graph = Graph(
            self._tasks,
            self._targets,
            resources=self._resources,
            path_s=self._experience.path_s,
            present=present,
            measured=measured,
        )
        self._make_ready(self._graph.startable())
        return list(self._submissions(now_s))

    def step(self, outcomes: Sequence[Outcome], now_s: float = 0.0) -> list[Attempt]:
        """Take in what came of attempts in flight, and the time; an outcome of anything else changes nothing."""
        self.ended, self.decisions = {}, {}
        for outcome in outcomes:
            attempt = self._running.pop(outcome.key, None)
            if attempt is not None:
                self.ended[outcome.key] = attempt
                self._settle(attempt, outcome)
                self._health.observe(outcome)
                node = self._graph.nodes[outcome.key]
                if isinstance(outcome, Succeeded):
                    self._succeed(node, outcome)
                else:
                    self._fail(node, outcome, attempt, now_s)
        while self._delayed and self._delayed[0][0] <= now_s:
            self._enqueue(self._graph.nodes[heapq.heappop(self._delayed)[-1]])
        return list(self._submissions(now_s))

    def stop(self, reason: str) -> None:
        """Submit nothing more; what is in flight is awaited, and what of it fails is not tried again."""
        self.stopped = self.stopped or reason

    @property
    def in_flight(self) -> int:
        """How many tasks are submitted and not yet finished."""
        return len(self._running)

    @property
    def finished(self) -> bool:
        """Whether nothing is in flight and nothing more will be submitted."""
        return not self._running and (bool(self.stopped) or not (any(self._ready.values()) or self._delayed))

    @property
    def complete(self) -> bool:
        """Whether every wanted result is there."""
        return all(self._graph.nodes[key].state in FINISHED for key in self._targets)

    @property
    def wake_s(self) -> float | None:
        """When the next delayed attempt is due; None where there is none."""
        return self._delayed[0][0] if self._delayed else None

    @property
    def counts(self) -> Counter[tuple[StageKind, TaskState]]:
        """Tasks by stage and state."""
        return self._graph.counts

    @property
    def demand(self) -> Mapping[Lane, float]:
        """Slots that the ready and the running tasks would fill."""
        return self._demand

    @property
    def avoided(self) -> frozenset[str]:
        """Nodes that no attempt is sent to any more, because they killed one task after another."""
        return self._health.avoided

    @property
    def gpu_s(self) -> float:
        """GPU-seconds spent, by earlier runs too."""
        return self._spending.gpu_s

    def state_of(self, key: str) -> TaskState | None:
        """Where a task stands; None if no wanted result needs it."""
        node = self._graph.nodes.get(key)
        return node.state if node else None

    def task(self, key: str) -> Task:
        """A task that some wanted result needs, those included that appeared.

        Raises:
            KeyError: No wanted result needs it.
        """
        return self._graph.nodes[key].task

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        lane, slots = lane_of(attempt.resources), slots_of(attempt.resources)
        self._in_flight[lane] -= slots
        self._demand[lane] -= slots
        gpus = attempt.resources.num_gpus
        if gpus:
            self._spending.settle(reserved_gpu_s=gpus * attempt.expected_s, spent_gpu_s=gpus * outcome.duration_s)

    def _succeed(self, node: TaskNode, outcome: Succeeded) -> None:
        task = node.task
        self._troubles.pop(task.key, None)
        if not outcome.reused:
            self._experience.observe(
                task.stage, task.family, duration_s=outcome.duration_s, work=task.work, usage=outcome.usage
            )
        self._make_ready(self._graph.reveal(node, outcome.measurements))
        self._make_ready(self._graph.finish(node, TaskState.REUSED if outcome.reused else TaskState.DONE))

    def _fail(self, node: TaskNode, failure: Failed, attempt: Attempt, now_s: float) -> None:
        trouble = self._troubles.setdefault(failure.key, _Trouble())
        trouble.failures[failure.cause] += 1
        decision = self.decisions[failure.key] = decide(
            failure,
            count=trouble.failures[failure.cause],
            attempt=attempt,
            node_memory_bytes=self._node_memory_bytes,
            avoided=self._health.avoided,
            stopped=self.stopped,
            damaged_is_ours=self.state_of(failure.damaged) is not None,
        )
        retry = decision.retry
        if decision.final:
            self.failures.append(failure)
            self._graph.fail(node)
            return
        if retry is None:
            self._graph.move(node, TaskState.READY)  # cut short, not failed: the next run goes on with it
            return
        self.retries[failure.cause] += 1
        if retry.resources != attempt.resources:
            trouble.resources = retry.resources
        if decision.damaged:
            self._make_ready(self._graph.redo(node, decision.damaged))
            return
        self._graph.move(node, TaskState.READY)
        if retry.delay_s:
            self._sequence += 1
            heapq.heappush(self._delayed, (now_s + retry.delay_s, self._sequence, failure.key))
        else:
            self._enqueue(node)

    def _make_ready(self, nodes: Iterable[TaskNode]) -> None:
        for node in nodes:
            self._graph.move(node, TaskState.READY)
            self._enqueue(node)

    def _enqueue(self, node: TaskNode) -> None:
        """Line up a task: the longest way before it first, then the largest, then plan order."""
        self._sequence += 1
        resources = self._request(node)
        self._demand[lane_of(resources)] += slots_of(resources)
        rank = (-node.path_s, -node.task.work, self._sequence, node.task.key)
        heapq.heappush(self._ready[lane_of(resources)], rank)

    def _request(self, node: TaskNode) -> Resources:
        trouble = self._troubles.get(node.task.key)
        return (trouble and trouble.resources) or node.task.resources

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
        trouble = self._troubles.get(task.key)
        return Attempt(
            task=task,
            number=trouble.failures.total() + 1 if trouble else 1,
            resources=self._experience.resources(task) if asked is task.resources else asked,
            avoid=self._health.avoided,
            expected_s=self._experience.expected_s(task),
        )

    def _submit(self, attempt: Attempt, lane: Lane) -> None:
        key, slots = attempt.task.key, slots_of(attempt.resources)
        self._graph.move(self._graph.nodes[key], TaskState.RUNNING)
        self._running[key] = attempt
        self._in_flight[lane] += slots
        self._demand[lane] += slots - slots_of(self._request(self._graph.nodes[key]))
        self._spending.reserve(attempt.resources.num_gpus * attempt.expected_s)
