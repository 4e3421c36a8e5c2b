import pytest
import torch

from jobs.artifact import Commit
from jobs.outcome import Cause

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture
def pruned(bench):
    """A network of half the parameters, its batch norms not folded."""
    return bench.remove(bench.convert(fold=False), 0.5)


def test_only_statistics_change(bench, pruned):
    before, after = bench.tensors(pruned), bench.tensors(bench.recalibrate(pruned))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith(STATISTICS)}


def test_it_measures_what_pruning_measured(bench, pruned):
    assert bench.measured(bench.recalibrate(pruned)) == bench.measured(pruned)


def test_it_lowers_the_loss_of_a_network_that_lost_half(bench, pruned):
    losses = [bench.measured(bench.evaluate(key))["loss"] for key in (pruned, bench.recalibrate(pruned))]
    assert losses[1] < losses[0]


def test_another_seed_sees_other_images(bench, pruned):
    digests = [bench.digests(bench.recalibrate(pruned, seed=seed))["weights.safetensors"] for seed in (0, 1)]
    assert digests[0] != digests[1]


def test_every_batch_gives_statistics_of_its_own(bench, pruned):
    digests = [bench.digests(bench.recalibrate(pruned, batch_size=size))["weights.safetensors"] for size in (64, 128)]
    assert digests[0] != digests[1]


def test_it_repeats(bench, pruned):
    key = bench.recalibrate(pruned)
    assert bench.run_again(key) is Commit.REPEATED


def test_a_folded_network_has_nothing_to_recalibrate(bench, failure):
    recalibrated = bench.recalibrate(bench.remove(bench.convert(fold=False), 0.5))
    failed = failure(bench.run(bench.params(recalibrated, network=bench.resample(bench.permute()))))
    assert failed.cause is Cause.BAD_INPUT
    assert "no batch norm" in failed.message
