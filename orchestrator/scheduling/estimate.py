"""Estimates what a sweep will cost before it runs: hours by stage and kind of node, from what was seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.backends import NodeKind
from orchestrator.scheduling.cost_model import CostModel


@dataclass(slots=True, kw_only=True)
class StageCost:
    """What tasks of one stage cost on one kind of node.

    Attributes:
        stage: The stage.
        node: The kind of node; empty where none is known, or none has what they request.
        tasks: Their number.
        unseen: How many of them are like none that was seen; they count nowhere else.
        work_s: Seconds of work, one after the other.
        cpu_s: CPU-seconds that they request.
        gpu_s: GPU-seconds that they request.
        node_s: Seconds of such nodes, all of which are full all the time.
    """

    stage: StageKind
    node: str
    tasks: int = 0
    unseen: int = 0
    work_s: float = 0.0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    node_s: float = 0.0


def needed_tasks(tasks: Mapping[str, Task], targets: Iterable[str], present: frozenset[str]) -> list[Task]:
    """The tasks that have to run for the targets, in the order of the plan.

    Args:
        tasks: Key -> task.
        targets: Keys of the results that are wanted.
        present: Keys of the results that are there.
    """
    needed = set[str]()
    waiting = list(targets)
    while waiting:
        key = waiting.pop()
        if key not in present and key not in needed and key in tasks:
            needed.add(key)
            waiting += tasks[key].inputs.values()
    return [task for key, task in tasks.items() if key in needed]


def estimate(tasks: Iterable[Task], seen: CostModel, kinds: Sequence[NodeKind]) -> list[StageCost]:
    """What tasks cost, by stage and kind of node.

    Args:
        tasks: The tasks.
        seen: What tasks like them took.
        kinds: The kinds of nodes. A task is counted on the smallest one that has what it requests, one without GPUs
            where it requests none.
    """
    costs: dict[tuple[StageKind, str], StageCost] = {}
    for task in tasks:
        asked = seen.resources(task)
        fitting = [kind for kind in kinds if _share(asked, kind) <= 1]
        kind = min(fitting, key=lambda each: (each.gpus, each.cpus), default=None)
        name = kind.name if kind else ""
        cost = costs.setdefault((task.stage, name), StageCost(stage=task.stage, node=name))
        cost.tasks += 1
        duration_s = seen.expected_s(task)
        if not duration_s:
            cost.unseen += 1
            continue
        cost.work_s += duration_s
        cost.cpu_s += duration_s * asked.num_cpus
        cost.gpu_s += duration_s * asked.num_gpus
        cost.node_s += duration_s * asked.nodes * _share(asked.share, kind) if kind else 0.0
    return sorted(costs.values(), key=lambda each: list(StageKind).index(each.stage))


def _share(asked: Resources, kind: NodeKind) -> float:
    """The share of a node that a request takes; above 1 where it does not fit."""
    pairs: list[tuple[float, float]] = [(asked.num_cpus, kind.cpus), (asked.num_gpus, kind.gpus)]
    if kind.memory_bytes:
        pairs.append((asked.memory_bytes, kind.memory_bytes))
    return max((wanted / have if have else float("inf")) for wanted, have in pairs if wanted)
