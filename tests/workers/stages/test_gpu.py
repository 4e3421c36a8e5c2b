"""The accelerated stages on a real GPU; skipped where there is none."""

from dataclasses import replace

import pytest
import torch

from jobs.outcome import Cause, Failed, Succeeded
from jobs.task import StageKind, Task, make_task
from workers.entry import run_task

DATA = {"dataset": "digits", "source": None, "arguments": {}, "normalize": None, "fingerprint": "digits"}
TRAIN = {
    "network": "resnet",
    "source": None,
    "arguments": {"widths": [8, 12], "in_channels": 1},
    "weights": None,
    "train": {"epochs": 1},
    "data": DATA,
    "seed": 0,
}


def training(device: str) -> Task:
    environment = {"torch": "any", "dtype": "float32", "device": device}
    return make_task(StageKind.TRAIN, params=TRAIN, inputs={}, environment=environment)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_network_trained_on_the_gpu_is_evaluated_alike_on_both_devices(bench):
    trained = run_task(training("cuda"), bench.store)
    assert isinstance(trained, Succeeded)
    gates = {"latency": None, "reload": True, "export": False}
    params = {"data": DATA, "split": "test", "num_images": None, "batch_size": 256, "measure": gates}
    evaluate = make_task(
        StageKind.EVALUATE, params=params, inputs={"network": trained.key}, environment=training("cuda").environment
    )
    on_gpu = run_task(evaluate, bench.store)
    on_cpu = run_task(
        make_task(
            StageKind.EVALUATE, params=params, inputs={"network": trained.key}, environment=training("cpu").environment
        ),
        bench.store,
    )
    assert on_gpu.measurements["accuracy"] == pytest.approx(on_cpu.measurements["accuracy"], abs=0.005)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_task_planned_for_a_gpu_fails_clearly_where_there_is_none(bench):
    outcome = run_task(replace(training("cuda"), label="net/seed0"), bench.store)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.BAD_INPUT
    assert "sees no GPU; set device: cpu" in outcome.message
