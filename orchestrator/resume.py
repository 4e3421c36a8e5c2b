"""What a store has of a plan: where a sweep goes on."""

from jobs.task import GroupSize, StageKind, order_tasks
from orchestrator.machine import groups_listed
from orchestrator.plan import Plan
from orchestrator.store import LocalStore


def resume_point(plan: Plan, store: LocalStore) -> tuple[frozenset[str], dict[str, tuple[GroupSize, ...]]]:
    """What the store has of a plan: the committed keys, and the channel groups of committed `convert` tasks.

    `order` tasks, which are not in the plan, are looked up where their `convert` is committed.
    """
    present = store.present(plan.tasks)
    groups: dict[str, tuple[GroupSize, ...]] = {}
    orders: list[str] = []
    for task in plan.tasks.values():
        if task.stage is StageKind.PERMUTE and task.inputs["network"] in present:
            convert = task.inputs["network"]
            if convert not in groups:
                groups[convert] = groups_listed(store.manifest(convert).measurements)
            orders.extend(order.key for order in order_tasks(task, groups[convert]))
    return frozenset(present | store.present(orders)), groups
