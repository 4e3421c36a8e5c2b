"""The DAG of a running sweep: which tasks are needed, which wait for which, and what an end of one means for others.

Knows tasks and their states; knows no attempts, no retries and no slots.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

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


FINISHED = frozenset({TaskState.DONE, TaskState.REUSED})
_LOST = frozenset({TaskState.FAILED, TaskState.BLOCKED})


@dataclass(slots=True, eq=False)
class Node:
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
    dependents: list["Node"] = field(default_factory=list)
    path_s: float = 0.0


class Graph:
    """All tasks that wanted results need, `order` tasks included as soon as their groups are known.

    Args:
        tasks: The plan's tasks, inputs before the tasks that read them.
        targets: Keys of the wanted tasks.
        order_resources: What each `order` task asks of the cluster.
        path_s: What a task adds to the length of a way.
        present: Committed keys, `order` tasks among them.
        groups: For each committed `convert` task, the channel groups that it listed.

    Attributes:
        nodes: By key.
        counts: Tasks by stage and state.

    Raises:
        KeyError: The groups of a committed `convert` task are not given.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        targets: Sequence[str],
        *,
        order_resources: Resources,
        path_s: Callable[[Task], float],
        present: frozenset[str],
        groups: Mapping[str, Sequence[GroupSize]],
    ) -> None:
        self._planned = tasks
        self._order_resources = order_resources
        self._path_s = path_s
        self._present = present
        self._groups = dict(groups)
        self._joins: defaultdict[str, list[Node]] = defaultdict(list)
        self.nodes: dict[str, Node] = {}
        self.counts: Counter[tuple[StageKind, TaskState]] = Counter()
        self._add_all(self._needed(targets))

    def move(self, node: Node, state: TaskState) -> None:
        """Change a task's state."""
        self.counts[node.task.stage, node.state] -= 1
        self.counts[node.task.stage, state] += 1
        node.state = state

    def startable(self) -> Iterator[Node]:
        """The tasks that wait for nothing."""
        return (node for node in list(self.nodes.values()) if node.state is TaskState.WAITING and not node.missing)

    def finish(self, node: Node, state: TaskState) -> list[Node]:
        """A task's artifact is there; returns those that wait for nothing any more."""
        self.move(node, state)
        dependents, node.dependents = node.dependents, []
        for dependent in dependents:
            dependent.missing -= 1
        return [each for each in dependents if not each.missing and each.state is TaskState.WAITING]

    def list_groups(self, convert: Node, groups: Sequence[GroupSize]) -> list[Node]:
        """A `convert` task has listed its groups: add the `order` tasks of who joins them; returns the startable."""
        self._groups[convert.task.key] = groups
        waiting = [each for each in self._joins.pop(convert.task.key, ()) if each.state is TaskState.WAITING]
        return [node for permute in waiting for node in self._expand(permute)]

    def fail(self, node: Node) -> None:
        """A task will not come: block what needs it."""
        self.move(node, TaskState.FAILED)
        dependents, node.dependents = node.dependents, []
        self._block(dependents)

    def redo(self, node: Node, damaged: str) -> list[Node]:
        """A task has to wait for an input that must be made again; returns what can start.

        Raises:
            KeyError: The damaged artifact is none of this sweep's.
        """
        self.move(node, TaskState.WAITING)
        source = self.nodes[damaged]
        started: list[Node] = []
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

    def _add(self, task: Task) -> Node:
        state = TaskState.REUSED if task.key in self._present else TaskState.WAITING
        node = self.nodes[task.key] = Node(task, state)
        self.counts[task.stage, state] += 1
        return node

    def _connect(self, node: Node) -> list[Node]:
        """Let a task wait for its inputs; returns the `order` tasks that were added for it and can start."""
        for key in set(node.task.inputs.values()):
            self._wait_for(node, self.nodes[key])
        if node.task.stage is not StageKind.PERMUTE:
            return []
        convert = node.task.inputs["network"]
        if self.nodes[convert].state in FINISHED:
            return self._expand(node)
        self._joins[convert].append(node)
        return []

    def _wait_for(self, node: Node, source: Node) -> None:
        if source.state in _LOST:
            self._block([node])
        elif source.state not in FINISHED:
            source.dependents.append(node)
            node.missing += 1

    def _block(self, pending: list[Node]) -> None:
        """Block waiting tasks and all that need them."""
        while pending:
            blocked = pending.pop()
            if blocked.state is TaskState.WAITING:
                self.move(blocked, TaskState.BLOCKED)
                pending += blocked.dependents
                blocked.dependents = []

    def _expand(self, permute: Node) -> list[Node]:
        """Let a `permute` task wait for its `order` tasks, which are added where they are new."""
        startable = []
        groups = self._groups[permute.task.inputs["network"]]
        for task in order_tasks(permute.task, groups, self._order_resources):
            node = self.nodes.get(task.key)
            if node is None:
                node = self._add(task)
                node.path_s = self._path_s(task) + permute.path_s
                if node.state is TaskState.WAITING:
                    startable.append(node)
            self._wait_for(permute, node)
        return startable

    def _restore(self, node: Node) -> list[Node]:
        """Make a task that was finished wait for its inputs again, adding those that nothing needed until now."""
        started: list[Node] = []
        for key in node.task.inputs.values():
            if key not in self.nodes:
                source = self._add(self._planned[key])
                if source.state is TaskState.WAITING:
                    started += self._restore(source)
        started += self._connect(node)
        return started if node.missing or node.state is not TaskState.WAITING else [*started, node]
