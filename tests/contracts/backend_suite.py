"""What every backend must do. A test module of an implementation imports `BackendSuite` and gives it fixtures.

`backend`: one that runs `score` tasks; `task(index)`: a task that succeeds; `broken(index)`: one that fails.
"""

from jobs.outcome import Failed, Succeeded


def drain(backend, count: int, limit: int = 600) -> list:
    outcomes = []
    for _ in range(limit):
        outcomes += backend.wait(0.5)
        if len(outcomes) >= count:
            break
    return outcomes


class BackendSuite:
    def test_it_has_slots(self, backend):
        assert backend.slots().cpus >= 1

    def test_nothing_comes_of_nothing(self, backend):
        assert backend.wait(0.01) == []

    def test_a_task_comes_back_once_as_an_outcome(self, backend, task):
        submitted = task(0)
        backend.submit(submitted)
        (outcome,) = drain(backend, 1)
        assert (type(outcome), outcome.key) == (Succeeded, submitted.key)
        assert backend.wait(0.01) == []

    def test_of_many_tasks_each_comes_back_once(self, backend, task):
        tasks = [task(index) for index in range(10)]
        for each in tasks:
            backend.submit(each)
        assert sorted(outcome.key for outcome in drain(backend, 10)) == sorted(each.key for each in tasks)

    def test_a_failure_is_an_outcome_too_and_others_go_on(self, backend, task, broken):
        bad, good = broken(0), task(1)
        backend.submit(bad)
        backend.submit(good)
        outcomes = {outcome.key: type(outcome) for outcome in drain(backend, 2)}
        assert outcomes == {bad.key: Failed, good.key: Succeeded}
