"""What every backend must do. A test module of an implementation imports `BackendSuite` and gives it fixtures.

`backend`: one that runs `score` tasks; `task(index)`: a task that succeeds; `lasting(index)`: one that does not end by
itself where attempts run beside the driver, else one that succeeds; `broken(index)`: one that fails.
"""

import pytest

from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.task import Attempt, Task


def attempt(task: Task, **more) -> Attempt:
    """A first attempt at a task, with what the task asks for."""
    return Attempt(task=task, **{"resources": task.resources, **more})


def drain(backend, count: int, limit: int = 600) -> list:
    outcomes = []
    for _ in range(limit):
        outcomes += backend.wait(0.5)
        if len(outcomes) >= count:
            break
    return outcomes


class BackendSuite:
    @pytest.fixture
    def lasting(self, task):
        return task

    def test_it_has_slots(self, backend):
        assert backend.slots().cpus >= 1

    def test_its_machines_have_its_slots(self, backend):
        kinds = backend.node_kinds()
        assert sum(kind.cpus * kind.count for kind in kinds) == backend.slots().cpus
        assert sum(kind.gpus * kind.count for kind in kinds) == backend.slots().gpus
        assert all(kind.name for kind in kinds)

    def test_nothing_comes_of_nothing(self, backend):
        backend.submit([])
        assert backend.wait(0.01) == []

    def test_a_task_comes_back_once_as_an_outcome(self, backend, task):
        submitted = task(0)
        backend.submit([attempt(submitted)])
        (outcome,) = drain(backend, 1)
        assert (type(outcome), outcome.key) == (Succeeded, submitted.key)
        assert backend.wait(0.01) == []

    def test_of_many_tasks_each_comes_back_once(self, backend, task):
        tasks = [task(index) for index in range(10)]
        backend.submit([attempt(each) for each in tasks[:6]])
        backend.submit([attempt(each) for each in tasks[6:]])
        assert sorted(outcome.key for outcome in drain(backend, 10)) == sorted(each.key for each in tasks)
        assert backend.wait(0.01) == []

    def test_what_is_asked_for_is_what_the_attempt_asks_for(self, backend, task):
        modest = attempt(task(0), resources=Resources(num_cpus=1.0, memory_bytes=1))
        backend.submit([modest])
        assert isinstance(drain(backend, 1)[0], Succeeded)

    def test_a_failure_is_an_outcome_too_and_others_go_on(self, backend, task, broken):
        bad, good = broken(0), task(1)
        backend.submit([attempt(bad), attempt(good)])
        outcomes = {outcome.key: type(outcome) for outcome in drain(backend, 2)}
        assert outcomes == {bad.key: Failed, good.key: Succeeded}

    def test_cancelled_tasks_come_back_once_and_the_backend_goes_on(self, backend, task, lasting):
        tasks = [lasting(index) for index in range(20)]
        backend.submit([attempt(each) for each in tasks])
        backend.cancel()
        outcomes = drain(backend, 20)
        assert sorted(outcome.key for outcome in outcomes) == sorted(each.key for each in tasks)
        assert any(isinstance(each, Failed) for each in outcomes)
        assert {each.cause for each in outcomes if isinstance(each, Failed)} == {Cause.CANCELLED}
        assert backend.wait(0.01) == []
        backend.submit([attempt(task(20))])
        assert isinstance(drain(backend, 1)[0], Succeeded)
