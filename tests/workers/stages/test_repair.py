import pytest
import torch

from jobs.artifact import Commit


@pytest.fixture
def pruned(bench):
    return bench.remove(bench.convert(fold=False), 0.5)


def test_it_lowers_the_loss_of_a_network_that_lost_half(bench, pruned):
    losses = [bench.measured(bench.evaluate(key))["loss"] for key in (pruned, bench.repair(pruned))]
    assert losses[1] < losses[0]


def test_it_measures_what_pruning_measured_and_how_far_each_layer_was_off(bench, pruned):
    measured = dict(bench.measured(bench.repair(pruned)))
    refits = measured.pop("refits")
    assert measured == bench.measured(pruned)
    assert all(refit["after"] <= refit["before"] for refit in refits)
    assert any(refit["after"] < refit["before"] for refit in refits)


def test_only_weights_and_biases_change(bench, pruned):
    before, after = bench.tensors(pruned), bench.tensors(bench.repair(pruned))
    assert {name: each.shape for name, each in before.items()} == {name: each.shape for name, each in after.items()}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.endswith((".weight", ".bias")) for name in changed)


def test_a_reconstructed_network_can_be_repaired_too(bench):
    key = bench.reconstruct(bench.convert(fold=False), "thinet", compression=0.5)
    losses = [bench.measured(bench.evaluate(each))["loss"] for each in (key, bench.repair(key))]
    assert losses[1] < losses[0]


def test_it_repeats(bench, pruned):
    assert bench.run_again(bench.repair(pruned)) is Commit.REPEATED
