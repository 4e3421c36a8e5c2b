from dataclasses import replace
from pathlib import Path

import pytest
import torch

import workers.stages._selection
from jobs.outcome import Cause
from jobs.spec.allocation import LeastErrorAllocation
from workers.allocation import ALLOCATIONS, AllocationProblem, allocate, merging_errors, removal_errors
from workers.channels import ChannelMap, ParameterCount
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample
from workers.integral.moments import OutputMoments
from workers.integral.variance import VarianceRepair

KEYS = {"asked", "compression", "note", "widths", "full_widths", "speedup", "params", "macs", "size_bytes"}
HOWS = ["l1", "random", "adaptive", "uniform", "tuned", "tuned biases"]


@pytest.fixture
def pruned(bench):
    """The key of the network pruned in one of the ways to about 30 %."""

    def pruned(how):
        if how in {"l1", "random"}:
            return bench.remove(bench.convert(fold=False), criterion=how)
        if how == "uniform":
            return bench.resample(bench.permute(), sampling=("uniform", "midpoint"))
        tuned = None if how == "adaptive" else bench.tune(bench.permute(), biases=how == "tuned biases")
        return bench.resample(bench.permute(), tuned=tuned)

    return pruned


@pytest.mark.parametrize("how", HOWS)
def test_it_measures_what_was_reached(bench, pruned, how):
    key = pruned(how)
    measured = bench.measured(key)
    assert measured.keys() == KEYS | ({"training_epochs", "training_macs"} if "tuned" in how else set())
    assert measured["widths"].keys() == {"conv1", "layer1.0.conv1", "layer2.0.conv1", "layer2.0.conv2"}
    source = bench.measured(bench.params(key).procedure.network if how in {"l1", "random"} else bench.convert())
    assert measured["compression"] == pytest.approx(1 - measured["params"] / source["params"], abs=1e-12)
    assert abs(measured["compression"] - 0.3) <= 0.01 or "asked 30%" in measured["note"]
    assert measured["macs"] < source["macs"]
    assert measured["size_bytes"] < source["size_bytes"]


@pytest.mark.parametrize("how", HOWS)
def test_the_network_is_really_that_small_and_runs(bench, pruned, images, how):
    key = pruned(how)
    module = bench.network(key)
    assert sum(each.numel() for each in module.parameters()) == bench.measured(key)["params"]
    assert module.conv1.out_channels == bench.measured(key)["widths"]["conv1"]
    assert module(images).isfinite().all()


def test_the_channels_with_the_highest_scores_stay_in_their_order(bench, pruned):
    key = pruned("l1")
    converted, name = bench.convert(fold=False), "layer1.0.conv1"
    width = bench.measured(key)["widths"][name]
    scores = bench.tensors(bench.score(converted), "scores.safetensors")[name]
    kept = sorted(range(len(scores)), key=lambda channel: -scores[channel])[:width]
    found, source = bench.tensors(key), bench.tensors(converted)
    assert torch.equal(found["layer1.0.bn1.running_mean"], source["layer1.0.bn1.running_mean"][sorted(kept)])
    assert bench.tensors(key, "kept.safetensors")[name].tolist() == sorted(kept)


@pytest.mark.parametrize("sampling", [("adaptive", "product"), ("uniform", "midpoint")], ids=["adaptive", "uniform"])
def test_at_compression_0_resampling_gives_the_network_back(bench, images, sampling):
    permuted = bench.permute()
    key = bench.resample(permuted, 0.0, sampling=sampling)
    assert (bench.measured(key)["compression"], bench.measured(key)["note"]) == (0, "")
    with torch.inference_mode():
        expected = bench.network(permuted)(images)
        torch.testing.assert_close(
            bench.network(key)(images), expected, rtol=0, atol=1e-6 * expected.abs().max().item()
        )


def test_at_compression_0_removing_changes_not_a_bit(bench):
    converted = bench.convert(fold=False)
    removed, before = bench.digests(bench.remove(converted, 0.0)), bench.digests(converted)
    assert removed.keys() == before.keys() - {"channels.json", "moments.safetensors"} | {"kept.safetensors"}
    assert all(removed[name] == digest for name, digest in before.items() if name in removed)


def test_a_tuned_partition_is_the_one_that_is_used(bench, pruned):
    permuted, key = bench.permute(), pruned("tuned biases")
    tuned = bench.tensors(bench.params(key).procedure.tuned, "partition.safetensors")
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    nodes = {name: nodes_of(tuned[name]) for name in channel_map.widths()}
    expected = resample(bench.tensors(permuted), channel_map, nodes, QUADRATURES["product"])
    expected |= {name.removeprefix("bias:"): each for name, each in tuned.items() if name.startswith("bias:")}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in bench.tensors(key).items())


REPAIRED = ("adaptive", "means", "variance")


def test_the_variance_is_repaired_by_what_the_folded_norms_knew(bench):
    permuted = bench.permute()
    plain, found = (bench.tensors(bench.resample(permuted, sampling=each)) for each in (REPAIRED[:2], REPAIRED))
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    moments = OutputMoments.read(bench.store.read(permuted, "moments.safetensors"))
    widths = bench.measured(bench.resample(permuted, sampling=REPAIRED))["widths"]
    cells = choose_cells(bench.tensors(permuted), channel_map, widths, PARTITIONS["adaptive"])
    nodes = {name: nodes_of(each) for name, each in cells.items()}
    expected = VarianceRepair(bench.tensors(permuted), channel_map, moments)(plain, nodes, QUADRATURES["means"])
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    assert any(not torch.equal(tensor, plain[name]) for name, tensor in found.items())


def test_norms_that_were_kept_get_another_variance(bench):
    permuted = bench.permute(bench.convert(fold=False))
    plain, found = (bench.tensors(bench.resample(permuted, sampling=each)) for each in (REPAIRED[:2], REPAIRED))
    changed = {name for name, tensor in found.items() if not torch.equal(tensor, plain[name])}
    assert changed
    assert all(name.endswith("running_var") for name in changed)


def test_statistics_of_calibration_images_are_matched(bench):
    permuted = bench.permute()
    plain, matched = bench.resample(permuted), bench.resample(permuted, matched=32)
    before, after = bench.tensors(plain), bench.tensors(matched)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in after.items())
    assert all(tensor.shape == before[name].shape for name, tensor in after.items())


def test_a_target_that_is_out_of_reach_fails_with_the_nearest_possible_one(bench, failure):
    # One channel everywhere: stem 11, blocks 22 and 25, linear 20 of 3,730 parameters.
    converted = bench.convert(fold=False)
    outcome = failure(bench.run(bench.removal(converted, 0.99)))
    assert outcome.cause is Cause.BAD_INPUT
    assert "99% of the parameters cannot be removed, at most 97.9% can: every group" in outcome.message
    assert outcome.message.endswith("ask for 97 % or less")


def test_a_channel_map_that_is_wrong_is_a_bug(own_bench, failure, monkeypatch):
    # Masking that leaves everything in place stands for a slice that takes too much away.
    monkeypatch.setattr(workers.stages._selection, "without", lambda state, channel_map, kept: state)
    converted = own_bench.convert(fold=False)
    outcome = own_bench.run(own_bench.removal(converted))
    assert failure(outcome).cause is Cause.BUG
    assert "sliced and masked network differ by" in outcome.message


OBSTACLES = {"Competing": 0.4, "Shuffling": 0.15, "Attending": 0.4, "Shared": 0.3, "Casting": 0.4}
"""Of which so much can go."""


@pytest.mark.parametrize("network", OBSTACLES)
@pytest.mark.parametrize("how", ["remove", "resample"])
def test_a_network_with_obstacles_still_gives_a_valid_one(own_bench, monkeypatch, images, network, how):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import obstacle_networks

    torch.manual_seed(0)
    trained = own_bench.put(f"obstacle_networks:{network}", getattr(obstacle_networks, network)().state_dict())
    converted = own_bench.convert(trained)
    asked = OBSTACLES[network]
    removed = how == "remove"
    key = own_bench.remove(converted, asked) if removed else own_bench.resample(own_bench.permute(converted), asked)
    measured, before = own_bench.measured(key), own_bench.measured(converted)
    assert measured["params"] == round((1 - measured["compression"]) * before["params"])
    assert own_bench.network(key)(images).isfinite().all()
    # What could not be touched is named where the target was missed.
    if abs(measured["compression"] - asked) > 0.01:
        assert measured["note"].startswith("asked ")
        assert all(layer in measured["note"] for each in before["refused"] for layer in each["layers"])
    assert measured["compression"] > 0
    scored = own_bench.measured(own_bench.evaluate(key))
    assert (scored["num_samples"], scored["params"]) == (597, measured["params"])


def test_least_error_takes_removed_channels_for_criteria_and_merged_ones_for_functions(bench):
    converted, permuted = bench.convert(fold=False), bench.permute()
    allocation = LeastErrorAllocation(kind="least-error")
    removed = bench.remove(converted, allocation=allocation)
    merged = bench.resample(permuted, allocation=allocation)
    tuned = bench.key(replace(bench.tuning(permuted), widths=bench.widths(0.3, allocation=allocation)))

    def expected(source, errors):
        channel_map = ChannelMap.from_json(bench.json(source, "channels.json"))
        problem = AllocationProblem(
            channel_map=channel_map,
            target=0.3,
            cost=ParameterCount(channel_map),
            errors=lambda: errors(bench.tensors(source), channel_map),
        )
        return allocate(ALLOCATIONS["least-error"], problem).widths

    scores = bench.tensors(bench.score(converted), "scores.safetensors")
    by_removal = expected(converted, lambda state, channel_map: removal_errors(state, channel_map, scores))
    by_merging = expected(permuted, merging_errors)
    assert bench.measured(removed)["widths"] == by_removal
    assert bench.measured(merged)["widths"] == by_merging
    assert {name: len(each) for name, each in bench.tensors(tuned, "partition.safetensors").items()} == by_merging
    uniform = bench.measured(bench.remove(converted))["widths"]
    assert uniform not in (by_removal, by_merging)
