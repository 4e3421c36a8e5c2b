import pytest
import torch

from jobs.artifact import Commit
from jobs.spec.allocation import LeastErrorAllocation, UniformAllocation


@pytest.fixture
def reconstructed(bench):
    return bench.reconstruct(bench.convert(fold=False), "lasso")


def test_it_says_what_pruning_says_and_how_far_each_layer_was_off(bench, reconstructed):
    measured = bench.measured(reconstructed)
    assert measured.keys() == {*bench.measured(bench.remove(bench.convert(fold=False))), "refits"}
    assert measured["compression"] == bench.measured(bench.remove(bench.convert(fold=False)))["compression"]
    assert measured["refits"][0]["layer"] == "conv1"
    assert all(refit["after"] <= refit["before"] for refit in measured["refits"])


def test_the_artifact_is_a_network_of_the_measured_widths(bench, reconstructed, images):
    kept, widths = bench.tensors(reconstructed, "kept.safetensors"), bench.measured(reconstructed)["widths"]
    assert {name: len(units) for name, units in kept.items()} == widths
    assert bench.tensors(reconstructed)["layer1.0.conv1.weight"].shape[0] == widths["layer1.0.conv1"]
    assert bench.network(reconstructed)(images).shape == (4, 10)


@pytest.mark.parametrize("how", ["lasso", "thinet"])
@pytest.mark.parametrize(
    "allocation", [UniformAllocation(), LeastErrorAllocation(kind="least-error")], ids=lambda each: each.kind
)
def test_it_loses_less_than_the_same_widths_by_l1(bench, how, allocation):
    converted = bench.convert(fold=False)
    key = bench.reconstruct(converted, how, compression=0.5, allocation=allocation)
    losses = [bench.measured(bench.evaluate(each))["loss"] for each in (key, bench.remove(converted, 0.5))]
    assert losses[0] < losses[1]


def test_at_compression_0_the_network_stays(bench):
    converted = bench.convert(fold=False)
    found, source = bench.tensors(bench.reconstruct(converted, "thinet", compression=0.0)), bench.tensors(converted)
    assert all(torch.equal(found[name], source[name]) for name in source)


def test_it_repeats(bench, reconstructed):
    assert bench.run_again(reconstructed) is Commit.REPEATED


def test_another_seed_sees_other_images(bench, reconstructed):
    other = bench.key(bench.params(reconstructed, seed=1))
    assert bench.digests(other)["weights.safetensors"] != bench.digests(reconstructed)["weights.safetensors"]
