"""The DAG of a running sweep: task states, dependencies, and how the end of one task affects others. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from jobs.identity import Json
from jobs.resources import Resources
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import Task, joined_tasks


class TaskState(StrEnum):
    """The state of a task. A task that no target needs has none."""

    WAITING = "waiting"
    """For its inputs."""
    READY = "ready"
    RUNNING = "running"
    ELSEWHERE = "elsewhere"
    """The driver of another sweep computes it."""
    DONE = "done"
    REUSED = "reused"
    """Cache hit: its artifact was in the store."""
    FAILED = "failed"
    BLOCKED = "blocked"
    """An ancestor failed."""


FINISHED = frozenset({TaskState.DONE, TaskState.REUSED})
_LOST = frozenset({TaskState.FAILED, TaskState.BLOCKED})


@dataclass(slots=True, eq=False)
class TaskNode:
    """A task in the DAG.

    Attributes:
        task: The task.
        state: Its state.
        missing: Number of inputs that are not finished yet.
        dependents: The tasks that wait for it; emptied when it finishes.
        inherent: Of one that failed or is blocked: whether the cause lies in the task that failed.
        path_s: Expected seconds of the longest path from its start to a target.
    """

    task: Task
    state: TaskState = TaskState.WAITING
    missing: int = 0
    dependents: list["TaskNode"] = field(default_factory=list)
    inherent: bool = False
    path_s: float = 0.0


class Graph:
    """All tasks that the targets need; appearing tasks are added as soon as their source is measured.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the target tasks.
        resources: Requests of appearing tasks, by stage.
        path_s: The expected duration of a task, for path lengths.
        present: Committed keys, including those of appearing tasks.
        measured: Measurements of the committed sources of joining tasks, by key.

    Attributes:
        nodes: The nodes by key.
        counts: Tasks by stage and state.

    Raises:
        KeyError: The measurements of a committed source are missing.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        targets: Sequence[str],
        *,
        resources: Mapping[StageKind, Resources],
        path_s: Callable[[Task], float],
        present: frozenset[str],
        measured: Mapping[str, Mapping[str, Json]],
    ) -> None:
        self._planned = tasks
        self._resources = resources
        self._path_s = path_s
        self._present = present
        self._measured = dict(measured)
        self._sources = {task.params.source for task in tasks.values() if isinstance(task.params, JoiningParams)}
        self._joining: defaultdict[str, list[TaskNode]] = defaultdict(list)
        self.nodes: dict[str, TaskNode] = {}
        self.counts: Counter[tuple[StageKind, TaskState]] = Counter()
        self._add_all(self._needed(targets))

    def move(self, node: TaskNode, state: TaskState) -> None:
        """Change a task's state."""
        self.counts[node.task.stage, node.state] -= 1
        self.counts[node.task.stage, state] += 1
        node.state = state

    def startable(self) -> Iterator[TaskNode]:
        """The waiting tasks without missing inputs."""
        return (node for node in list(self.nodes.values()) if node.state is TaskState.WAITING and not node.missing)

    def finish(self, node: TaskNode, state: TaskState) -> list[TaskNode]:
        """Mark a task as finished; returns the tasks that can start now."""
        self.move(node, state)
        dependents, node.dependents = node.dependents, []
        for dependent in dependents:
            dependent.missing -= 1
        return [each for each in dependents if not each.missing and each.state is TaskState.WAITING]

    def reveal(self, source: TaskNode, measured: Mapping[str, Json]) -> list[TaskNode]:
        """Add the appearing tasks that follow from a source's measurements; their joining tasks wait for them.

        Returns:
            The added tasks that can start.
        """
        key = source.task.key
        if key not in self._sources:
            return []
        self._measured[key] = measured
        waiting = [each for each in self._joining.pop(key, ()) if each.state is TaskState.WAITING]
        return [node for joining in waiting for node in self._expand(joining, key)]

    def fail(self, node: TaskNode, *, inherent: bool) -> list[TaskNode]:
        """Mark a task as failed and block its descendants, but for those that do without it.

        Args:
            node: The task.
            inherent: Whether the cause lies in the task, so that it would fail in every run.

        Returns:
            The tasks that do without it and can start now.
        """
        return self._lose(node, TaskState.FAILED, inherent)

    def redo(self, node: TaskNode, damaged: str) -> list[TaskNode]:
        """Let a task wait until a damaged input is recomputed; returns the tasks that can start.

        Raises:
            KeyError: No task of this sweep computes the damaged artifact.
        """
        self.move(node, TaskState.WAITING)
        source = self.nodes[damaged]
        started: list[TaskNode] = []
        if source.state in FINISHED:
            self._present -= {damaged}
            self.move(source, TaskState.WAITING)
            started = self._restore(source)
        self._wait_for(node, source)
        return started

    def _needed(self, targets: Iterable[str]) -> Iterator[Task]:
        """The targets, and all ancestors that missing ones need, in plan order."""
        needed: set[str] = set()
        pending = list(targets)
        while pending:
            key = pending.pop()
            if key not in needed:
                needed.add(key)
                if key not in self._present:
                    pending.extend(self._planned[key].inputs.values())
        return (task for key, task in self._planned.items() if key in needed)

    def _add_all(self, tasks: Iterable[Task]) -> None:
        added = [self._add(task) for task in tasks]
        for node in reversed(added):
            node.path_s += self._path_s(node.task)
            if node.state is TaskState.WAITING:
                for key in node.task.inputs.values():
                    source = self.nodes[key]
                    source.path_s = max(source.path_s, node.path_s)
        for node in added:
            if node.state is TaskState.WAITING:
                self._connect(node)

    def _add(self, task: Task) -> TaskNode:
        state = TaskState.REUSED if task.key in self._present else TaskState.WAITING
        node = self.nodes[task.key] = TaskNode(task, state)
        self.counts[task.stage, state] += 1
        return node

    def _connect(self, node: TaskNode) -> list[TaskNode]:
        """Let a task wait for its inputs; returns the tasks that appeared for it and can start."""
        for key in set(node.task.inputs.values()):
            self._wait_for(node, self.nodes[key])
        if not isinstance(node.task.params, JoiningParams):
            return []
        source = node.task.params.source
        if source not in self._sources:
            raise ValueError(f"{node.task.label}: a task that appears may only join others that follow from its source")
        if source in self._measured or self.nodes[source].state in FINISHED:
            return self._expand(node, source)
        self._joining[source].append(node)
        return []

    def _wait_for(self, node: TaskNode, source: TaskNode) -> None:
        if source.state not in _LOST:
            if source.state not in FINISHED:
                source.dependents.append(node)
                node.missing += 1
        elif node.state is TaskState.WAITING and not _does_without(node, source):
            self._lose(node, TaskState.BLOCKED, source.inherent)

    def _lose(self, lost: TaskNode, state: TaskState, inherent: bool) -> list[TaskNode]:
        """Move a task to `FAILED` or `BLOCKED`, and what waits for it to `BLOCKED`, but for what does without it.

        Returns:
            The tasks that do without it and can start now.
        """
        startable, pending = [], [lost]
        self.move(lost, state)
        while pending:
            source = pending.pop()
            source.inherent = inherent
            dependents, source.dependents = source.dependents, []
            for each in dependents:
                if each.state is not TaskState.WAITING:
                    continue
                if _does_without(each, source):
                    each.missing -= 1
                    startable += [] if each.missing else [each]
                else:
                    self.move(each, TaskState.BLOCKED)
                    pending.append(each)
        return startable

    def _expand(self, joining: TaskNode, source: str) -> list[TaskNode]:
        """Let a joining task wait for its appearing tasks, which are added where they are new."""
        startable: list[TaskNode] = []
        for task in joined_tasks(joining.task, self._measured[source], self._resources):
            node = self.nodes.get(task.key)
            if node is None:
                node = self._add(task)
                node.path_s = self._path_s(task) + joining.path_s
                if node.state is TaskState.WAITING:
                    startable += self._connect(node)
                    if not node.missing and node.state is TaskState.WAITING:
                        startable.append(node)
            self._wait_for(joining, node)
        return startable

    def _restore(self, node: TaskNode) -> list[TaskNode]:
        """Let a finished task wait for its inputs again, adding those that were not needed until now."""
        started: list[TaskNode] = []
        for key in node.task.inputs.values():
            if key not in self.nodes:
                source = self._add(self._planned[key])
                if source.state is TaskState.WAITING:
                    started += self._restore(source)
        started += self._connect(node)
        return started if node.missing or node.state is not TaskState.WAITING else [*started, node]


def _does_without(node: TaskNode, lost: TaskNode) -> bool:
    """Whether a task runs without an input; its node is told so."""
    task, absent = node.task, node.task.absent | {lost.task.key}
    if not (task.stage.row.lenient and lost.inherent and absent < set(task.inputs.values())):
        return False
    node.task = replace(task, absent=absent)
    return True
