"""Finds the cache hits of a plan: the results that the store already has."""

from collections.abc import Mapping
from typing import NamedTuple

from jobs.artifact import Store
from jobs.identity import Json
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import appearing_tasks
from orchestrator.planning import Plan


class ResumePoint(NamedTuple):
    """What the store has of a plan.

    Attributes:
        present: The committed keys, those of appearing tasks included.
        measured: Measurements of the committed sources of joining tasks, by key.
    """

    present: frozenset[str]
    measured: Mapping[str, Mapping[str, Json]]


def stored_tasks(
    plan: Plan, present: frozenset[str], measured: Mapping[str, Mapping[str, Json]]
) -> Mapping[str, StageKind]:
    """The committed tasks of a plan, appearing ones included: key -> stage."""
    joining = [task for task in plan.tasks.values() if isinstance(task.params, JoiningParams)]
    appeared = [
        each
        for task in joining
        if isinstance(task.params, JoiningParams) and task.params.source in measured
        for each in appearing_tasks(task, measured[task.params.source])
    ]
    return {task.key: task.stage for task in (*plan.tasks.values(), *appeared) if task.key in present}


def resume_point(plan: Plan, store: Store) -> ResumePoint:
    """The committed keys of a plan, and the measurements of committed sources of joining tasks.

    Appearing tasks are not in the plan; they are looked up where their source is committed. The manifests of results
    and sources are read, and damaged ones are ignored; other damage is found when an artifact is read. A measured point
    whose network is gone does not count, so that the network is made again: it can be exported.
    """
    present = store.present(plan.tasks)
    joining = [(task, task.params.source) for task in plan.tasks.values() if isinstance(task.params, JoiningParams)]
    sources = {source for _, source in joining} & present
    manifests, damaged = store.manifests(sources | (present & set(plan.targets)))
    present -= damaged
    present -= {key for key in plan.targets if plan.tasks[key].inputs.get("network", key) not in present}
    measured: dict[str, Mapping[str, Json]] = {key: manifests[key].measurements for key in sources - damaged}
    appeared = [
        each.key for task, source in joining if source in measured for each in appearing_tasks(task, measured[source])
    ]
    return ResumePoint(frozenset(present | store.present(appeared)), measured)
