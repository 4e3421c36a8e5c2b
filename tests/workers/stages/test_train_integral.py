"""Stage `train` with a network for input: an integral network that learns at all sizes."""

import pytest
import torch

from jobs.artifact import Commit


@pytest.fixture
def scratch(bench):
    """A network that learnt as an integral one from random weights, its batch norms kept."""
    untrained = bench.train(recipe=None)
    return bench.train_integral(bench.permute(bench.convert(untrained, fold=False), method="identity"))


def test_a_network_without_a_recipe_is_the_one_that_training_starts_from(bench):
    untrained = bench.train(recipe=None)
    assert "last" not in bench.measured(untrained)
    assert bench.measured(bench.evaluate(untrained))["accuracy"] < 0.2  # of ten classes
    norms = {name: each for name, each in bench.tensors(untrained).items() if name.endswith("bn1.running_mean")}
    assert norms
    assert all(bool((each == 0).all()) for each in norms.values())


@pytest.mark.parametrize("fold", [True, False])
def test_it_learns_and_keeps_size_and_channels(bench, fold):
    permuted = bench.permute(bench.convert(fold=fold))
    trained = bench.train_integral(permuted, learning_rate=0.01)
    sizes = ("params", "macs", "size_bytes")
    assert all(bench.measured(trained)[name] == bench.measured(bench.convert(fold=fold))[name] for name in sizes)
    assert bench.json(trained, "channels.json") == bench.json(permuted, "channels.json")
    assert bench.json(trained, "network.json") == bench.json(permuted, "network.json")
    assert bench.measured(trained)["last"]["epoch"] == 1
    # An upper bound: as if all sizes that it draws were the full one.
    assert bench.measured(trained)["training_macs"] == 3 * bench.measured(trained)["macs"] * 1000
    assert bench.measured(bench.resample(trained))["training_epochs"] == 1
    loss = bench.measured(bench.evaluate(trained))["loss"]
    assert loss < bench.measured(bench.evaluate(bench.convert(fold=fold)))["loss"]


def test_after_it_half_of_the_network_does_better_than_before(bench):
    permuted = bench.permute()
    trained = bench.train_integral(permuted, learning_rate=0.01)
    halves = [bench.resample(key, 0.5, sampling=("uniform", "midpoint")) for key in (permuted, trained)]
    losses = [bench.measured(bench.evaluate(key))["loss"] for key in halves]
    assert losses[1] < losses[0]


def test_from_scratch_statistics_follow_all_sizes(bench, scratch):
    assert bench.measured(bench.evaluate(scratch))["accuracy"] > 0.15
    variances = [each for name, each in bench.tensors(scratch).items() if name.endswith("running_var")]
    assert all(bool((each != 1).all()) for each in variances)


def test_it_repeats_bit_for_bit(bench):
    trained = bench.train_integral(bench.permute())
    assert bench.run_again(trained) is Commit.REPEATED


def test_other_smallest_sizes_give_other_weights(bench):
    keys = [bench.train_integral(bench.permute(), smallest=smallest) for smallest in (0.5, 1.0)]
    first, second = (bench.tensors(key) for key in keys)
    assert any(not torch.equal(first[name], second[name]) for name in first)
