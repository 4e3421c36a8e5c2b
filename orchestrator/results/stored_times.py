"""Where times were measured that a plan takes from the store: a key says what was timed, not on which machine."""

from collections import Counter

from jobs.artifact import Store
from jobs.spec.measure import LatencySpec
from jobs.stages.finishing import TimeParams
from jobs.stages.scoring import ProfileParams
from jobs.task import Task
from orchestrator.planning import Plan


def stored_times(plan: Plan, store: Store) -> Counter[str]:
    """How many stored results of `time` and `profile` are from which model of GPU or processor; empty: unknown.

    Those whose sweep file names the `machine` are left out: the word is part of their keys.
    """
    keys = store.present(key for key, task in plan.tasks.items() if _is_timed_anywhere(task))
    manifests, _ = store.manifests(keys)
    return Counter(manifest.ran_on for manifest in manifests.values())


def _is_timed_anywhere(task: Task) -> bool:
    match task.params:
        case TimeParams(latency=LatencySpec(machine=None)) | ProfileParams(machine=None):
            return True
        case _:
            return False
