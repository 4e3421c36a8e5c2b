"""Which artifacts the recorded sweeps need.

Their points, everything that those were made of, and what a run of the same sweep would still read. Pure: records and
manifests in, keys out. What is removed in consequence is decided in `store.clearing`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.artifact import Manifest
from jobs.errors import OrchardError
from jobs.spec import SweepSpec
from jobs.task import StageKind, Task, make_task, order_tasks
from orchestrator.machine import groups_listed
from orchestrator.planning import Plan, Surroundings, plan_sweep
from orchestrator.results import SweepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What must stay.

    Attributes:
        keys: Artifacts, whether they are there or will be.
        unplanned: Sweeps that are not finished and cannot be planned again by this version of the code: any artifact
            may be one of theirs.
    """

    keys: frozenset[str]
    unplanned: tuple[str, ...]


def needed(records: Iterable[SweepRecord], manifests: Mapping[str, Manifest]) -> Needed:
    """What the recorded sweeps need of a store.

    Args:
        records: Of all sweeps that count.
        manifests: Of all committed artifacts.
    """
    roots: set[str] = set()
    unplanned = []
    for record in records:
        points = {point.key for curve in record.curves for point in curve.points}
        roots |= points
        plan = _plan_again(record, points)
        if plan is not None:
            roots |= plan.tasks.keys()
            roots |= _orders((task for task in plan.tasks.values() if task.stage is StageKind.PERMUTE), manifests)
        elif not points <= manifests.keys():
            unplanned.append(record.name)
    return Needed(keys=frozenset(_closure(roots, manifests)), unplanned=tuple(sorted(unplanned)))


def _plan_again(record: SweepRecord, points: set[str]) -> Plan | None:
    """The plan of a recorded sweep; None where this version of the code would plan another."""
    if not record.surroundings:
        return None
    try:
        spec = SweepSpec.model_validate_json(json.dumps(record.spec))
        plan = plan_sweep(spec, Surroundings(**record.surroundings))
    except (ValueError, TypeError, OrchardError):
        return None
    return plan if set(plan.targets) == points else None


def _closure(roots: set[str], manifests: Mapping[str, Manifest]) -> set[str]:
    """The roots and everything that they were made of."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key in reached:
            continue
        reached.add(key)
        manifest = manifests.get(key)
        if manifest is not None:
            waiting.extend(manifest.identity.get("inputs", {}).values())
            if manifest.stage == StageKind.PERMUTE:
                waiting.extend(_orders([_task_of(manifest)], manifests))
    return reached


def _task_of(manifest: Manifest) -> Task:
    identity = manifest.identity
    return make_task(
        StageKind(manifest.stage),
        params=identity["params"],
        inputs=identity["inputs"],
        environment=identity["environment"],
    )


def _orders(permutes: Iterable[Task], manifests: Mapping[str, Manifest]) -> set[str]:
    """Keys of the `order` tasks that these `permute` tasks join, as far as their groups are known."""
    return {
        order.key
        for permute in permutes
        if permute.inputs["network"] in manifests
        for order in order_tasks(permute, groups_listed(manifests[permute.inputs["network"]].measurements))
    }
