import pytest
from backend_suite import BackendSuite
from plain_tasks import plain_task

from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Attempt
from orchestrator.backends import SimulatedBackend, Slots


def outcome(attempt):
    task = attempt.task
    if task.inputs.get("network", "").startswith("bb"):
        return Failed(key=task.key, cause=Cause.BUG, message="broken")
    return Succeeded(key=task.key, measurements={}, duration_s=1.0)


def backend_of(cpus=2.0, gpus=0.0, duration_s=lambda attempt: 1.0):
    return SimulatedBackend(Slots(cpus=cpus, gpus=gpus), duration_s=duration_s, outcome=outcome)


class TestSimulatedBackend(BackendSuite):
    @pytest.fixture
    def backend(self):
        return backend_of()


def job(number, num_gpus=0.0):
    resources = Resources(num_gpus=num_gpus)
    return Attempt(task=plain_task(StageKind.TRAIN, n=number, resources=resources), resources=resources)


def drain(backend):
    ends = []
    while outcomes := backend.wait(1e9):
        ends += [(backend.now_s, each.key) for each in outcomes]
    return ends


def test_five_seconds_of_work_on_two_slots_take_three():
    backend = backend_of(cpus=2.0)
    backend.submit([job(number) for number in range(5)])
    assert [at for at, _ in drain(backend)] == [1.0, 1.0, 2.0, 2.0, 3.0]


def test_two_halves_share_a_gpu():
    backend = backend_of(cpus=8.0, gpus=1.0)
    backend.submit([job(number, num_gpus=0.5) for number in range(3)])
    assert [at for at, _ in drain(backend)] == [1.0, 1.0, 2.0]


def test_a_cpu_task_overtakes_one_that_waits_for_a_gpu():
    backend = backend_of(cpus=8.0, gpus=1.0)
    first, second, third = job(0, num_gpus=1.0), job(1, num_gpus=1.0), job(2)
    backend.submit([first, second, third])
    assert drain(backend) == [(1.0, first.task.key), (1.0, third.task.key), (2.0, second.task.key)]


def test_waiting_for_less_than_the_next_end_moves_the_clock_only():
    backend = backend_of(duration_s=lambda attempt: 10.0)
    backend.submit([job(0)])
    assert (backend.wait(4.0), backend.now_s) == ([], 4.0)
    assert len(backend.wait(6.0)) == 1


def test_a_request_that_never_fits_is_refused():
    with pytest.raises(ValueError, match="asks for"):
        backend_of(gpus=0.0).submit([job(0, num_gpus=1.0)])
