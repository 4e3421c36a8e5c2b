"""The scheduling decisions: events in, commands out.

No clock, no disk, no Ray: what happened is told by `start` and `step`, what to do is returned, and the same events
give the same commands. The state is mutable because a copy per event would make a sweep of n tasks cost n^2.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.task import GroupSize, Resources, StageKind, Task, order_tasks


class TaskState(StrEnum):
    """Where a task stands. A task that no wanted result needs has no state."""

    WAITING = "waiting"
    """For its inputs."""
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"
    """Its artifact was there already."""
    FAILED = "failed"
    BLOCKED = "blocked"
    """Something that it depends on failed."""


class Lane(StrEnum):
    """Tasks in flight are bounded per lane, so that CPU work goes on while all GPUs are busy."""

    CPU = "cpu"
    GPU = "gpu"


def lane_of(task: Task) -> Lane:
    """The lane that a task runs in."""
    return Lane.GPU if task.resources.num_gpus > 0 else Lane.CPU


RETRIES: Mapping[Cause, int] = {Cause.PREEMPTED: 8, Cause.TRANSIENT: 3}
"""How often a task is run again after a failure of each cause; causes that are absent fail at once."""

_FINISHED = frozenset({TaskState.DONE, TaskState.REUSED})
_STAGE_RANK = {stage: rank for rank, stage in enumerate(StageKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Command: run this task now. `attempt` counts from 1."""

    task: Task
    attempt: int


@dataclass(slots=True)
class _Node:
    task: Task
    state: TaskState = TaskState.WAITING
    missing: int = 0
    dependents: list[str] = field(default_factory=list)
    failures: Counter[Cause] = field(default_factory=Counter)
    attempts: int = 0


class Machine:
    """The state of a running sweep.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the wanted tasks; what they do not need is not run.
        order_resources: What each `order` task asks of the cluster.
        limits: How many tasks may be in flight in each lane.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        targets: Sequence[str],
        *,
        order_resources: Resources,
        limits: Mapping[Lane, int],
    ) -> None:
        self._planned = tasks
        self._targets = targets
        self._order_resources = order_resources
        self._limits = limits
        self._nodes: dict[str, _Node] = {}
        self._joins: defaultdict[str, list[str]] = defaultdict(list)
        self._ready: dict[Lane, list[tuple[int, float, int, str]]] = {lane: [] for lane in Lane}
        self._in_flight: Counter[Lane] = Counter()
        self._sequence = 0
        self._stopped = False
        self.counts: Counter[tuple[StageKind, TaskState]] = Counter()
        self.failures: list[Failed] = []

    def start(self, present: frozenset[str], groups: Mapping[str, Sequence[GroupSize]]) -> list[Submit]:
        """Take in what the store has, and begin.

        Args:
            present: Committed keys, `order` tasks among them.
            groups: For each committed `convert` task, the channel groups that it listed.

        Raises:
            KeyError: The groups of a committed `convert` task are not given.
        """
        for key in self._needed(present):
            self._add(self._planned[key], TaskState.REUSED if key in present else TaskState.WAITING)
        for node in list(self._nodes.values()):
            if node.state is TaskState.WAITING:
                self._connect(node)
        for key in list(self._joins):
            if self._nodes[key].state is TaskState.REUSED:
                self._expand(key, groups[key], present)
        for node in list(self._nodes.values()):
            if node.state is TaskState.WAITING and node.missing == 0:
                self._make_ready(node)
        return list(self._submissions())

    def step(self, outcome: Outcome) -> list[Submit]:
        """Take in what came of a task in flight; an outcome of any other task changes nothing."""
        node = self._nodes.get(outcome.key)
        if node is None or node.state is not TaskState.RUNNING:
            return []
        self._in_flight[lane_of(node.task)] -= 1
        if isinstance(outcome, Succeeded):
            self._succeed(node, outcome)
        else:
            self._fail(node, outcome)
        return list(self._submissions())

    def stop(self) -> None:
        """Submit nothing more; what is in flight is awaited."""
        self._stopped = True

    @property
    def in_flight(self) -> int:
        """How many tasks are submitted and not yet finished."""
        return self._in_flight.total()

    @property
    def finished(self) -> bool:
        """Whether nothing is in flight and nothing more will be submitted."""
        return self.in_flight == 0 and (self._stopped or not any(self._ready.values()))

    def state_of(self, key: str) -> TaskState | None:
        """Where a task stands; None if no wanted result needs it."""
        node = self._nodes.get(key)
        return node.state if node else None

    def task(self, key: str) -> Task:
        """A task that some wanted result needs, `order` tasks included.

        Raises:
            KeyError: No wanted result needs it.
        """
        return self._nodes[key].task

    def _needed(self, present: frozenset[str]) -> list[str]:
        """Targets and all that must be there for the absent ones to be made, in plan order."""
        needed: set[str] = set()
        pending = list(self._targets)
        while pending:
            key = pending.pop()
            if key in needed:
                continue
            needed.add(key)
            if key not in present:
                pending.extend(self._planned[key].inputs.values())
        return [key for key in self._planned if key in needed]

    def _add(self, task: Task, state: TaskState) -> _Node:
        node = self._nodes[task.key] = _Node(task, state)
        self.counts[task.stage, state] += 1
        return node

    def _move(self, node: _Node, state: TaskState) -> None:
        self.counts[node.task.stage, node.state] -= 1
        self.counts[node.task.stage, state] += 1
        node.state = state

    def _connect(self, node: _Node) -> None:
        for key in set(node.task.inputs.values()):
            source = self._nodes[key]
            if source.state not in _FINISHED:
                source.dependents.append(node.task.key)
                node.missing += 1
        if node.task.stage is StageKind.PERMUTE:
            self._joins[node.task.inputs["network"]].append(node.task.key)

    def _expand(self, convert: str, groups: Sequence[GroupSize], present: frozenset[str] = frozenset()) -> None:
        """Add the `order` tasks of every waiting `permute` task of a network, now that its groups are known."""
        for permute_key in self._joins.pop(convert):
            permute = self._nodes[permute_key]
            for task in order_tasks(permute.task, groups, self._order_resources):
                node = self._nodes.get(task.key)
                if node is None:
                    node = self._add(task, TaskState.REUSED if task.key in present else TaskState.WAITING)
                    if node.state is TaskState.WAITING:
                        self._make_ready(node)
                if node.state in {TaskState.FAILED, TaskState.BLOCKED}:
                    self._block(permute)
                elif node.state not in _FINISHED:
                    node.dependents.append(permute_key)
                    permute.missing += 1

    def _succeed(self, node: _Node, outcome: Succeeded) -> None:
        self._move(node, TaskState.REUSED if outcome.reused else TaskState.DONE)
        if node.task.key in self._joins:
            self._expand(node.task.key, groups_listed(outcome.measurements))
        for key in node.dependents:
            dependent = self._nodes[key]
            dependent.missing -= 1
            if dependent.missing == 0 and dependent.state is TaskState.WAITING:
                self._make_ready(dependent)

    def _fail(self, node: _Node, outcome: Failed) -> None:
        node.failures[outcome.cause] += 1
        if not self._stopped and node.failures[outcome.cause] <= RETRIES.get(outcome.cause, 0):
            self._make_ready(node)
            return
        self._move(node, TaskState.FAILED)
        self.failures.append(outcome)
        for key in node.dependents:
            self._block(self._nodes[key])

    def _block(self, node: _Node) -> None:
        pending = [node]
        while pending:
            blocked = pending.pop()
            if blocked.state is TaskState.WAITING:
                self._move(blocked, TaskState.BLOCKED)
                pending.extend(self._nodes[key] for key in blocked.dependents)

    def _make_ready(self, node: _Node) -> None:
        self._move(node, TaskState.READY)
        self._sequence += 1
        # The earliest stage first: the longest way lies before it. Among siblings the largest, then plan order.
        rank = (_STAGE_RANK[node.task.stage], -node.task.work, self._sequence, node.task.key)
        heapq.heappush(self._ready[lane_of(node.task)], rank)

    def _submissions(self) -> Iterator[Submit]:
        for lane, heap in self._ready.items():
            while heap and not self._stopped and self._in_flight[lane] < self._limits[lane]:
                node = self._nodes[heapq.heappop(heap)[-1]]
                self._move(node, TaskState.RUNNING)
                self._in_flight[lane] += 1
                node.attempts += 1
                yield Submit(task=node.task, attempt=node.attempts)


def groups_listed(measurements: Mapping[str, object]) -> tuple[GroupSize, ...]:
    """The channel groups in the measurements of a `convert` task."""
    listed = measurements["groups"]
    if not isinstance(listed, Iterable):
        raise TypeError(f"groups is a {type(listed).__name__}; a convert task measures a list of names and widths")
    return tuple(GroupSize(name=str(group["name"]), width=int(group["width"])) for group in listed)
