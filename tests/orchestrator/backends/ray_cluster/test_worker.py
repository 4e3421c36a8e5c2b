import pickle

import pytest
from plain_tasks import plain_tasks

from jobs.outcome import Cause, Failed, Succeeded
from orchestrator.backends.ray_cluster import worker
from workers.attempt.entry import Provenance


@pytest.fixture
def ended(monkeypatch):
    """How often Ray was asked to end this process."""
    calls = []
    monkeypatch.setattr(worker, "_end_after_this_bundle", lambda: calls.append(1))
    monkeypatch.setattr(worker, "_node", lambda: "node")
    return calls


def run(tasks, fails, **how):
    """The outcomes of a bundle in which one task fails."""

    def execute(task, config):
        if task.key == fails:
            return Failed(key=task.key, cause=Cause.UNFIT_MACHINE, message="no", **how)
        return Succeeded(key=task.key, measurements={}, duration_s=1.0)

    config = worker.WorkerConfig(storage="unused", provenance=Provenance())
    return pickle.loads(worker.run_bundle(pickle.dumps(list(tasks.values())), config, execute))


def test_nothing_runs_in_a_process_whose_gpu_is_broken(ended):
    tasks = plain_tasks(4)
    keys = list(tasks)
    first, broken, *rest = run(tasks, keys[1], sticky=True)
    assert (type(first), broken.cause) == (Succeeded, Cause.UNFIT_MACHINE)
    assert [(each.key, each.cause, each.together, each.node) for each in rest] == [
        (key, Cause.PREEMPTED, True, "node") for key in keys[2:]
    ]
    assert ended == [1]


def test_a_machine_that_lacks_something_keeps_its_process(ended):
    tasks = plain_tasks(3)
    outcomes = run(tasks, next(iter(tasks)))
    assert [type(each) for each in outcomes] == [Failed, Succeeded, Succeeded]
    assert ended == []
