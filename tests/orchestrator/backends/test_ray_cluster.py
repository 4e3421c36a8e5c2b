"""The Ray backend on a real local Ray, one for all tests of this file."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
import ray.cloudpickle
from backend_suite import BackendSuite, drain

from jobs.outcome import Cause, Failed, Succeeded
from jobs.task import StageKind, make_task
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.store import open_store
from workers.entry import Provenance, run_task
from workers.stages import Product

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

# Workers cannot import this file: what it defines travels by value.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

ENVIRONMENT = {"torch": "any", "dtype": "float32", "device": "cpu"}


def execute(task, storage, provenance):
    """Runs a stage that does what its task's params say."""

    def stage(context):
        if task.params.get("do") == "die":
            os._exit(1)
        if task.params.get("do") == "raise":
            raise RuntimeError("a bug")
        return Product(measurements={"pid": os.getpid(), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")})

    if task.params.get("do") == "unpicklable":
        raise RuntimeError("outside of run_task")
    return run_task(task, open_store(storage), provenance=provenance, stage_of=lambda kind: stage)


@pytest.fixture(scope="module")
def backend():
    with tempfile.TemporaryDirectory(prefix="orchard-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("HOME", folder)
        backend = RayBackend(f"{folder}/store", Provenance(git_commit="abc"), execute=execute)
        yield backend
        backend.close()


def doing(what: str, number: int = 0):
    return make_task(StageKind.SCORE, params={"do": what, "n": number}, inputs={}, environment=ENVIRONMENT)


class TestRayBackend(BackendSuite):
    @pytest.fixture
    def task(self, request):
        return lambda index: doing(request.node.name, index)

    @pytest.fixture
    def broken(self):
        return lambda index: doing("raise", index)


def test_a_worker_that_dies_is_a_preemption_and_the_backend_goes_on(backend):
    backend.submit(doing("die"))
    (outcome,) = drain(backend, 1)
    assert (type(outcome), outcome.cause) == (Failed, Cause.PREEMPTED)
    backend.submit(doing("after the loss"))
    assert isinstance(drain(backend, 1)[0], Succeeded)


def test_a_bug_comes_back_with_its_log(backend):
    backend.submit(doing("raise", 7))
    (outcome,) = drain(backend, 1)
    assert outcome.cause is Cause.BUG
    assert "RuntimeError: a bug" in Path(outcome.log).read_text()


def test_an_error_outside_of_the_task_is_an_outcome_too(backend):
    backend.submit(doing("unpicklable"))
    (outcome,) = drain(backend, 1)
    assert (type(outcome), outcome.cause) == (Failed, Cause.BUG)


def test_a_cpu_task_sees_no_gpu(backend):
    backend.submit(doing("look"))
    assert drain(backend, 1)[0].measurements["gpus"] == ""


def test_the_work_is_done_in_another_process(backend):
    backend.submit(doing("work"))
    assert drain(backend, 1)[0].measurements["pid"] != os.getpid()
