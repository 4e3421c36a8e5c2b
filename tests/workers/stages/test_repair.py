import pytest
import torch

from jobs.artifact import Commit
from jobs.stages.common import Folding, Resampling
from jobs.stages.pruning import ChannelPruning, PruneParams

FOLDING = Folding(clustering="ward", slices="all")


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


@pytest.mark.parametrize("how", [Resampling(partition="adaptive", quadrature="product"), FOLDING])
def test_networks_whose_channels_were_mixed_are_repaired_towards_mixed_outputs(bench, how):
    folds = isinstance(how, Folding)
    whole = bench.convert(fold=False) if folds else bench.permute(bench.convert(fold=False))
    pruning = ChannelPruning(network=whole, widths=bench.widths(0.5), how=how)
    key = bench.key(PruneParams(procedure=pruning))
    repaired = bench.repair(key)
    losses = [bench.measured(bench.evaluate(each))["loss"] for each in (key, repaired)]
    assert losses[1] < losses[0]
    assert bench.digests(repaired)["mixture.safetensors"] == bench.digests(key)["mixture.safetensors"]


def test_what_was_folded_without_any_loss_is_left_as_it_is(bench):
    pruning = ChannelPruning(network=bench.convert(), widths=bench.widths(0.0), how=FOLDING)
    measured = bench.measured(bench.repair(bench.key(PruneParams(procedure=pruning))))
    assert max(each["before"] for each in measured["refits"]) < 1e-9


def test_it_repeats(bench, pruned):
    assert bench.run_again(bench.repair(pruned)) is Commit.REPEATED
