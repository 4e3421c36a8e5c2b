"""The DAG of a running sweep: which tasks are needed, which wait for which, and what an end of one means for others.

Knows tasks and their states; knows no attempts, no retries and no slots.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.identity import Json
from jobs.resources import Resources
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import Task, joined_tasks


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


FINISHED = frozenset({TaskState.DONE, TaskState.REUSED})
_LOST = frozenset({TaskState.FAILED, TaskState.BLOCKED})


@dataclass(slots=True, eq=False)
class TaskNode:
    """A task in the DAG.

    Attributes:
        task: The task.
        state: Where it stands.
        missing: How many of its inputs are not there yet.
        dependents: Who waits for it; emptied when it is there.
        path_s: Expected seconds of the longest way from its start to a wanted result.
    """

    task: Task
    state: TaskState = TaskState.WAITING
    missing: int = 0
    dependents: list["TaskNode"] = field(default_factory=list)
    path_s: float = 0.0


class Graph:
    """All tasks that wanted results need, those included that appear as soon as what they follow from is measured.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the wanted tasks.
        resources: What tasks that appear ask of the cluster, by stage.
        path_s: What a task adds to the length of a way.
        present: Committed keys, those of tasks that appear among them.
        measured: What the committed sources of joining tasks have measured, by key.

    Attributes:
        nodes: By key.
        counts: Tasks by stage and state.

    Raises:
        KeyError: What a committed source of joining tasks has measured is not given.
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
        """The tasks that wait for nothing."""
        return (node for node in list(self.nodes.values()) if node.state is TaskState.WAITING and not node.missing)

    def finish(self, node: TaskNode, state: TaskState) -> list[TaskNode]:
        """A task's artifact is there; returns those that wait for nothing any more."""
        self.move(node, state)
        dependents, node.dependents = node.dependents, []
        for dependent in dependents:
            dependent.missing -= 1
        return [each for each in dependents if not each.missing and each.state is TaskState.WAITING]

    def reveal(self, source: TaskNode, measured: Mapping[str, Json]) -> list[TaskNode]:
        """A task has measured this: add the tasks that follow from it and let who joins them wait.

        Returns:
            Those of the added tasks that can start.
        """
        key = source.task.key
        if key not in self._sources:
            return []
        self._measured[key] = measured
        waiting = [each for each in self._joining.pop(key, ()) if each.state is TaskState.WAITING]
        return [node for joining in waiting for node in self._expand(joining, key)]

    def fail(self, node: TaskNode) -> None:
        """A task will not come: block what needs it."""
        self.move(node, TaskState.FAILED)
        dependents, node.dependents = node.dependents, []
        self._block(dependents)

    def redo(self, node: TaskNode, damaged: str) -> list[TaskNode]:
        """A task has to wait for an input that must be made again; returns what can start.

        Raises:
            KeyError: The damaged artifact is none of this sweep's.
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
        """Targets and all that must be there for the absent ones to be made, in plan order."""
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
        if source.state in _LOST:
            self._block([node])
        elif source.state not in FINISHED:
            source.dependents.append(node)
            node.missing += 1

    def _block(self, pending: list[TaskNode]) -> None:
        """Block waiting tasks and all that need them."""
        while pending:
            blocked = pending.pop()
            if blocked.state is TaskState.WAITING:
                self.move(blocked, TaskState.BLOCKED)
                pending += blocked.dependents
                blocked.dependents = []

    def _expand(self, joining: TaskNode, source: str) -> list[TaskNode]:
        """Let a task wait for those that it joins, which are added where they are new."""
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
        """Make a task that was finished wait for its inputs again, adding those that nothing needed until now."""
        started: list[TaskNode] = []
        for key in node.task.inputs.values():
            if key not in self.nodes:
                source = self._add(self._planned[key])
                if source.state is TaskState.WAITING:
                    started += self._restore(source)
        started += self._connect(node)
        return started if node.missing or node.state is not TaskState.WAITING else [*started, node]
