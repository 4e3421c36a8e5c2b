"""The accelerated stages on a real GPU; skipped where there is none."""

import pytest
import torch

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.base import ArtifactKey
from jobs.task import make_task
from workers.attempt.entry import run_task


def environment(device: str) -> dict[str, str]:
    return {"torch": "any", "dtype": "float32", "device": device}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_network_trained_on_the_gpu_is_evaluated_alike_on_both_devices(bench):
    trained = run_task(make_task(bench.model(), environment=environment("cuda")), bench.store)
    assert isinstance(trained, Succeeded)
    params = bench.evaluation(ArtifactKey(trained.key), reload=True)
    on_gpu = run_task(make_task(params, environment=environment("cuda")), bench.store)
    on_cpu = run_task(make_task(params, environment=environment("cpu")), bench.store)
    assert on_gpu.measurements["accuracy"] == pytest.approx(on_cpu.measurements["accuracy"], abs=0.005)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_task_planned_for_a_gpu_fails_clearly_where_there_is_none(bench):
    outcome = run_task(make_task(bench.model(), environment=environment("cuda"), label="net/seed0"), bench.store)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.UNFIT_MACHINE
    assert "sees no GPU; set device: cpu" in outcome.message
