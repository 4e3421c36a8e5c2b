"""Properties of all stages."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from jobs.artifact import Commit
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import ScoreParams
from jobs.stages.table import StageKind
from jobs.task import make_task
from workers.artifacts import ArtifactReader
from workers.checkpoints import Checkpoint
from workers.stages import Context, stage_function


@pytest.fixture(scope="module")
def line(bench):
    """Name -> key of everything that a sweep with a criterion and an integral method leaves."""
    trained, folded, unfolded = bench.train(), bench.convert(), bench.convert(fold=False)
    permuted = bench.permute(folded)
    tuned = bench.tune(permuted, biases=True)
    keys = {
        "train": trained,
        "analyse": bench.analyse(),
        "convert folded": folded,
        "convert": unfolded,
        "score l1": bench.score(unfolded),
        "score random": bench.score(unfolded, "random"),
        "observe activations": bench.observe(unfolded, "activations"),
        "observe gradients": bench.observe(unfolded, "gradients"),
        "score taylor": bench.score(unfolded, "taylor"),
        "order": bench.orders(bench.params(permuted))[0],
        "permute": permuted,
        "choose reconstruction": bench.choose("reconstruction"),
        "choose output": bench.choose("output"),
        "tune": tuned,
        "prune remove": bench.remove(unfolded),
        "prune resample": bench.resample(permuted),
        "prune tuned": bench.resample(permuted, tuned=tuned),
    }
    for name in ("train", "prune remove", "prune resample", "prune tuned"):
        keys[f"evaluate {name}"] = bench.evaluate(keys[name])
    return keys


NAMES = [
    "train",
    "analyse",
    "convert folded",
    "convert",
    "score l1",
    "score random",
    "observe activations",
    "observe gradients",
    "score taylor",
    "order",
    "permute",
    "choose reconstruction",
    "choose output",
    "tune",
    "prune remove",
    "prune resample",
    "prune tuned",
    "evaluate train",
    "evaluate prune remove",
    "evaluate prune resample",
    "evaluate prune tuned",
]


@pytest.mark.parametrize("name", NAMES)
def test_running_it_again_gives_the_same_bits(bench, line, name):
    torch.manual_seed(987)  # which no stage may ask
    assert bench.run_again(line[name]) is Commit.REPEATED


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_behind_in_the_process(bench, line, name):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    bench.run_again(line[name])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_the_dense_network_is_untouched_by_all_that_came_of_it(bench, line, tmp_path):
    alone = type(bench)(tmp_path / "alone")
    assert alone.digests(alone.train()) == bench.digests(line["train"])


@pytest.fixture
def context(bench):
    def context(seed=None, criterion="l1"):
        params = ScoreParams(network=ArtifactKey("k"), criterion=criterion, seed=seed)
        return Context(
            task=make_task(params, environment={}),
            params=params,
            artifacts=ArtifactReader(bench.store),
            device=torch.device("cpu"),
            should_stop=lambda: False,
            checkpoint=Checkpoint(load=lambda: None, save=lambda content: None),
        )

    return context


def draw(context, purpose):
    return torch.rand(3, generator=context.generator(purpose)).tolist()


def test_randomness_comes_from_the_seed_and_the_purpose(context):
    assert draw(context(seed=0), "batches") == draw(context(seed=0, criterion="l2"), "batches")
    assert draw(context(seed=0), "batches") != draw(context(seed=1), "batches")
    assert draw(context(seed=0), "batches") != draw(context(seed=0), "images")


def test_a_stage_without_a_seed_draws_all_the_same(context):
    assert draw(context(), "images") == draw(context(seed=None), "images")


def test_records_are_frozen(context):
    with pytest.raises(dataclasses.FrozenInstanceError):
        context().device = torch.device("meta")


def test_stages_are_imported_when_they_are_asked_for():
    assert stage_function(StageKind.SCORE) is stage_function(StageKind.SCORE)


def test_training_imports_nothing_that_takes_seconds_and_that_it_has_no_use_for():
    others = ("torchvision", "torch._dynamo", "scipy", "pandas", "sklearn", "onnx", "ray", "mlflow")
    script = f"import sys, workers.stages.train; print([each for each in {others} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
