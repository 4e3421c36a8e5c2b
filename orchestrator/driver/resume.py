"""What a store has of a plan: where a sweep goes on."""

from collections.abc import Mapping

from jobs.artifact import Store
from jobs.identity import Json
from jobs.stages.base import JoiningParams
from jobs.task import appearing_tasks
from orchestrator.planning import Plan


def resume_point(plan: Plan, store: Store) -> tuple[frozenset[str], Mapping[str, Mapping[str, Json]]]:
    """What the store has of a plan: the committed keys, and what the committed sources of joining tasks measured.

    Tasks that appear while a sweep runs are not in the plan; they are looked up where their source is committed. The
    manifests of results and of sources are read: a damaged one is as good as none. What else is damaged is found when
    it is read.
    """
    present = store.present(plan.tasks)
    joining = [(task, task.params.source) for task in plan.tasks.values() if isinstance(task.params, JoiningParams)]
    sources = {source for _, source in joining} & present
    manifests, damaged = store.manifests(sources | (present & set(plan.targets)))
    present -= damaged
    measured: dict[str, Mapping[str, Json]] = {key: manifests[key].measurements for key in sources - damaged}
    appeared = [
        each.key for task, source in joining if source in measured for each in appearing_tasks(task, measured[source])
    ]
    return frozenset(present | store.present(appeared)), measured
