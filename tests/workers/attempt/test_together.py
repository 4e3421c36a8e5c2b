"""A task trains in the processes that it asks for, and its checkpoint is for any number of them."""

import multiprocessing

import torch
from safetensors.torch import load
from shared_trainings import RECIPES, RESUMED, stop_at

from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.stages.common import DatasetParams
from jobs.stages.training import ModelWeights, TrainParams
from jobs.task import make_task
from orchestrator.store import open_store
from workers.attempt.entry import run_task

PARAMS = TrainParams(
    procedure=ModelWeights(network="shared_trainings:Network", recipe=RECIPES[RESUMED]),
    data=DatasetParams(dataset="shared_trainings:data", fingerprint="images"),
    seed=0,
)


def training(processes):
    resources = Resources(num_cpus=processes, processes=processes)  # a thread each
    return make_task(PARAMS, environment={"torch": "any", "dtype": "float32", "device": "cpu"}, resources=resources)


def test_a_task_that_is_begun_by_one_process_and_taken_on_by_two_is_ended_by_one_with_the_same_weights(tmp_path):
    store, other = open_store(tmp_path / "store"), open_store(tmp_path / "other")
    for processes, asked in ((1, 5), (2, 5)):
        stopped = run_task(training(processes), store, should_stop=stop_at(asked))
        assert isinstance(stopped, Failed)
        assert stopped.cause is Cause.CANCELLED, stopped
        assert multiprocessing.active_children() == []
    ended, alone = run_task(training(1), store), run_task(training(1), other)
    assert isinstance(ended, Succeeded), ended
    assert isinstance(alone, Succeeded)
    taken_on = [log.text for log in store.logs(ended.key)]
    assert sum("goes on from the checkpoint at epoch 1, after 3 steps" in text for text in taken_on) == 1
    assert sum("goes on from the checkpoint at epoch 2, after 1 steps" in text for text in taken_on) == 1
    found, expected = (load(each.read(ended.key, "weights.safetensors")) for each in (store, other))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
