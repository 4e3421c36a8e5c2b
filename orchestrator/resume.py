"""What a store has of a plan: where a sweep goes on."""

from jobs.artifact import Store
from jobs.task import GroupSize, StageKind, order_tasks
from orchestrator.machine import groups_listed
from orchestrator.planning import Plan


def resume_point(plan: Plan, store: Store) -> tuple[frozenset[str], dict[str, tuple[GroupSize, ...]]]:
    """What the store has of a plan: the committed keys, and the channel groups of committed `convert` tasks.

    `order` tasks, which are not in the plan, are looked up where their `convert` is committed. The manifests of results
    and of `convert` tasks are read: a damaged one is as good as none. What else is damaged is found when it is read.
    """
    present = store.present(plan.tasks)
    permutes = [task for task in plan.tasks.values() if task.stage is StageKind.PERMUTE]
    converts = {task.inputs["network"] for task in permutes} & present
    manifests, damaged = store.manifests(converts | (present & set(plan.targets)))
    present -= damaged
    groups = {key: groups_listed(manifests[key].measurements) for key in converts - damaged}
    orders = [
        order.key
        for task in permutes
        if task.inputs["network"] in groups
        for order in order_tasks(task, groups[task.inputs["network"]])
    ]
    return frozenset(present | store.present(orders)), groups
