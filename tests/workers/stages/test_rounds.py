"""Pruning in rounds, and limits on single layers, in the stages that carry them out."""

from dataclasses import replace

import pytest
import torch

from jobs.outcome import Cause
from jobs.spec.sparsity import SoftFilterSpec
from jobs.spec.training import Recipe
from jobs.stages.common import PruningRound, WidthLimits
from jobs.stages.training import IntegralTraining, SparseTraining, TrainParams
from workers.channels import ChannelMap, find_groups
from workers.integral.network import IntegralNetwork

SHORT = Recipe(epochs=1, batch_size=128, learning_rate=0.01)
FULL = {"conv1": 8, "layer1.0.conv1": 8, "layer2.0.conv1": 12, "layer2.0.conv2": 12}
KEEP = WidthLimits(keep=("conv1",))


@pytest.fixture
def converted(bench):
    return bench.convert(fold=False)


@pytest.fixture
def line(bench, converted):
    """The networks of two linear rounds to 0.5, and the one trained between them."""

    def which(number):
        return PruningRound(number=number, rounds=2, schedule="linear", dense=converted)

    first = bench.remove(converted, 0.5, "taylor", round=which(1))
    trained = bench.key(bench.further(first, SHORT))
    return first, trained, bench.remove(trained, 0.5, "taylor", round=which(2))


def test_rounds_remove_parts_of_the_dense_network(bench, converted, line):
    first, _, last = (bench.measured(key) for key in line)
    assert first["compression"] == pytest.approx(0.25, abs=0.03)
    assert last["compression"] == pytest.approx(0.5, abs=0.03)
    whole = bench.measured(converted)
    assert last["compression"] == pytest.approx(1 - last["params"] / whole["params"])
    assert last["speedup"] == pytest.approx(whole["macs"] / last["macs"])
    assert dict(last["full_widths"]) == FULL
    assert last["training_epochs"] == 1


def test_the_groups_that_a_round_leaves_are_those_of_its_network(bench, line):
    first, trained, last = line
    left = ChannelMap.from_json(bench.json(trained, "channels.json"))
    assert left == find_groups(bench.network(trained), (1, 8, 8))
    assert bench.json(first, "channels.json") == bench.json(trained, "channels.json")
    assert "channels.json" not in bench.digests(last)


def test_a_reconstruction_goes_on_from_what_the_round_before_left(bench, converted):
    rounds = [PruningRound(number=number, rounds=2, schedule="geometric", dense=converted) for number in (1, 2)]
    first = bench.reconstruct(converted, "thinet", 0.4, round=rounds[0])
    last = bench.measured(bench.reconstruct(first, "thinet", 0.4, round=rounds[1]))
    assert last["compression"] == pytest.approx(0.4, abs=0.03)
    assert all(last["widths"][name] <= width for name, width in bench.measured(first)["widths"].items())


def test_limits_hold_where_channels_are_removed_rebuilt_and_resampled(bench, converted):
    limits = WidthLimits(keep=("conv1",), ratios=(("layer2.0.conv1", 0.25),), multiple=(("layer2.0.conv2", 4),))
    for key in (
        bench.remove(converted, limits=limits),
        bench.reconstruct(converted, "lasso", limits=limits),
        bench.resample(bench.permute(), limits=limits),
    ):
        widths = bench.measured(key)["widths"]
        assert (widths["conv1"], widths["layer2.0.conv1"], widths["layer2.0.conv2"] % 4) == (8, 9, 0)


def test_a_pattern_that_matches_nothing_fails_the_task_with_the_nearest_names(bench, converted, failure):
    outcome = failure(bench.run(bench.removal(converted, limits=WidthLimits(keep=("layr1",)))))
    assert outcome.cause is Cause.BAD_INPUT
    assert "prune.keep: 'layr1' matches nothing that can be pruned; nearest: layer1" in outcome.message


def test_what_stays_whole_is_neither_tuned_nor_resampled(bench):
    permuted = bench.permute()
    widths = bench.widths(0.3, limits=KEEP)
    tuned = bench.key(replace(bench.tuning(permuted), widths=widths))
    cells = bench.tensors(tuned, "partition.safetensors")
    torch.testing.assert_close(cells["conv1"], torch.full((8,), 1 / 8, dtype=torch.float64))
    made = bench.resample(permuted, tuned=tuned, limits=KEEP)
    assert torch.equal(bench.tensors(made)["conv1.weight"], bench.tensors(permuted)["conv1.weight"])


def test_what_stays_whole_is_at_full_size_in_training_at_all_sizes(bench, monkeypatch):
    drawn, resize = [], IntegralNetwork.resize
    monkeypatch.setattr(
        IntegralNetwork, "resize", lambda network, sizes: (drawn.append(dict(sizes)), resize(network, sizes))
    )
    procedure = IntegralTraining(network=bench.permute(), recipe=SHORT, smallest=0.5, limits=KEEP)
    bench.key(TrainParams(procedure=procedure, data=bench.model().data, seed=0))
    assert {sizes["conv1"] for sizes in drawn} == {8}
    assert len({sizes["layer2.0.conv1"] for sizes in drawn}) > 1


def test_soft_filters_spare_what_stays_whole(bench):
    procedure = SparseTraining(
        network=bench.train(),
        analysis=bench.analyse(fold=False),
        recipe=SHORT,
        sparsify=SoftFilterSpec(kind="soft-filter"),
        compression=0.4,
        limits=KEEP,
    )
    state = bench.tensors(bench.key(TrainParams(procedure=procedure, data=bench.model().data, seed=0)))
    zero = {name: int((state[f"{name}.weight"].flatten(1) == 0).all(1).sum()) for name in FULL}
    assert zero["conv1"] == 0
    assert zero["layer2.0.conv1"] > 0
