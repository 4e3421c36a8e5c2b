import pytest
from backend_suite import BackendSuite, attempt
from plain_tasks import plain_tasks

from jobs.errors import StoppedError
from jobs.outcome import Cause
from orchestrator.backends import InlineBackend
from workers.attempt.entry import Provenance


class TestInlineBackend(BackendSuite):
    @pytest.fixture
    def backend(self, probe_store):
        return InlineBackend(probe_store, Provenance())


def test_a_process_whose_gpu_is_broken_computes_nothing_more(probe_store):
    def run(context):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    backend = InlineBackend(probe_store, Provenance(), stage_of=lambda stage: run)
    backend.submit([attempt(task) for task in plain_tasks(2).values()])
    (outcome,) = backend.wait(0.0)
    assert (outcome.cause, outcome.sticky) == (Cause.UNFIT_MACHINE, True)
    with pytest.raises(StoppedError, match=r"an illegal memory access .* the same command goes on in a new one"):
        backend.wait(0.0)
