"""Networks that become sparse by training, and networks of which single weights were removed."""

import pytest
import torch

from jobs.outcome import Cause
from jobs.task import StageKind

PENALTIES = {
    "slimming": {"kind": "slimming", "strength": 0.01, "from_scratch": True},
    "structure-selection": {"kind": "structure-selection", "strength": 0.5, "structures": "blocks", "momentum": 0.9},
    "soft-filter": {"kind": "soft-filter", "compression": 0.3},
    "group-lasso": {"kind": "group-lasso", "strength": 0.5},
}
MAGNITUDE = {"how": "magnitude", "scope": "global", "linear": False, "compression": 0.5}


@pytest.fixture
def tiny(bench):
    """A trained network of 27 + 162 weights of convolutions, 264 parameters in all."""
    shared = bench.tasks[bench.train()].params
    return bench.key(StageKind.TRAIN, {**shared, "network": "plain", "arguments": {"widths": [3, 6], "in_channels": 1}})


@pytest.fixture
def started(bench):
    """The same with its initial weights."""
    shared = bench.tasks[bench.train()].params
    return bench.key(
        StageKind.TRAIN,
        {**shared, "network": "plain", "arguments": {"widths": [3, 6], "in_channels": 1}, "train": None},
    )


def train(bench, network, how, **more):
    shared = bench.tasks[bench.train()].params
    params = {"how": how, "train": shared["train"], "data": shared["data"], "seed": 0, **more}
    return bench.key(StageKind.TRAIN, params, network=network)


def thin(bench, network, **changes):
    inputs = {name: changes.pop(name) for name in ("start",) if name in changes}
    return bench.key(StageKind.PRUNE, {**MAGNITUDE, **changes}, network=network, **inputs)


def masks_of(bench, key):
    return bench.tensors(key, "masks.safetensors")


def test_the_smallest_weights_become_zero_and_the_sizes_are_those_that_are_left(bench, tiny):
    key = thin(bench, tiny)
    measured, dense = bench.measured(key), bench.measured(tiny)
    assert dense["params"] == 27 + 6 + 162 + 12 + 70
    # Half of 277, which is 138.5 and rounded to even, of the 189 weights of the convolutions.
    assert measured["params"] == 277 - 138
    assert measured["compression"] == pytest.approx(138 / 277)
    masks = masks_of(bench, key)
    assert {name: mask.shape for name, mask in masks.items()} == {
        "features.0.weight": (3, 1, 3, 3),
        "features.4.weight": (6, 3, 3, 3),
    }
    first, second = (int(masks[f"features.{layer}.weight"].sum()) for layer in (0, 4))
    assert first + second == 189 - 138
    left = {"features.0.weight": first, "features.4.weight": second}
    assert (measured["weights"], measured["full_weights"]) == (
        left,
        [["features.0.weight", 27], ["features.4.weight", 162]],
    )
    point = bench.measured(bench.evaluate(key))
    assert (point["weights"], point["widths"]) == (left, {})
    assert measured["macs"] == first * 64 + second * 16 + 60  # 8 x 8 and 4 x 4 places; the classifier is whole
    assert measured["speedup"] == pytest.approx(dense["macs"] / measured["macs"])
    assert measured["size_bytes"] == dense["size_bytes"]
    assert measured["size_bytes_sparse"] == dense["size_bytes"] - 4 * 138 + 24  # a bit for each of 189
    found, before = bench.tensors(key), bench.tensors(tiny)
    for name, tensor in before.items():
        assert torch.equal(found[name], torch.where(masks[name], tensor, 0) if name in masks else tensor)
    largest = torch.cat([before[name][~mask].abs() for name, mask in masks.items()]).max()
    assert all(bool((before[name][mask].abs() >= largest).all()) for name, mask in masks.items())


def test_more_than_may_go_is_refused_with_the_most_that_can(bench, tiny, failure):
    outcome = bench.run(StageKind.PRUNE, {**MAGNITUDE, "compression": 0.9}, network=tiny)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "of the network's 277 parameters 187 may go: ask for 67.5% at most, or set `linear: true`" in outcome.message


def test_rewound_survivors_have_the_initial_values_bit_for_bit(bench, tiny, started):
    key = thin(bench, tiny, start=started)
    masks, found, initial = masks_of(bench, key), bench.tensors(key), bench.tensors(started)
    assert all(torch.equal(mask, masks_of(bench, thin(bench, tiny))[name]) for name, mask in masks.items())
    for name, tensor in initial.items():
        assert torch.equal(found[name], torch.where(masks[name], tensor, 0) if name in masks else tensor)


def test_what_is_removed_stays_away_in_every_later_training(bench, tiny):
    key = thin(bench, tiny)
    dense = {"dense": tiny}
    params = {
        "how": "scratch",
        "train": bench.tasks[bench.train()].params["train"],
        "data": bench.tasks[bench.train()].params["data"],
        "seed": 3,
    }
    trained = [train(bench, key, "further"), bench.key(StageKind.TRAIN, params, network=key, **dense)]
    trained.append(bench.recalibrate(trained[0]))
    for each in trained:
        masks, tensors = masks_of(bench, each), bench.tensors(each)
        for name, mask in masks_of(bench, key).items():
            assert torch.equal(masks[name], mask)
            assert torch.equal(tensors[name] != 0, mask)
        assert {name: bench.measured(each)[name] for name in ("params", "macs", "compression")} == {
            name: bench.measured(key)[name] for name in ("params", "macs", "compression")
        }
        assert bench.measured(bench.evaluate(each))["params"] == 277 - 138


def test_a_second_round_removes_more_and_nothing_comes_back(bench, tiny):
    first = thin(bench, tiny, round=[1, 2])
    second = thin(bench, train(bench, first, "further"), round=[2, 2])
    assert bench.measured(second)["params"] == 277 - 138
    # The share that is left after one of two rounds is the root of what is left after both: of 189, 51 and 98.
    assert bench.measured(first)["params"] == 277 - (189 - round(189 * (51 / 189) ** 0.5))
    for name, mask in masks_of(bench, second).items():
        assert not (mask & ~masks_of(bench, first)[name]).any()


@pytest.mark.parametrize("kind", PENALTIES)
def test_a_sparse_training_leaves_an_ordinary_network_that_can_be_pruned(bench, started, kind, images):
    network = bench.train() if kind == "structure-selection" else started
    key = train(bench, network, "sparsify", regulariser=PENALTIES[kind])
    assert bench.tensors(key).keys() == bench.tensors(network).keys()
    assert bench.digests(key).keys() == {"network.json", "weights.safetensors"}
    assert bench.measured(key)["params"] == bench.measured(network)["params"]
    assert bench.measured(key)["last"]["epoch"] == 1
    pruned = bench.remove(bench.convert(key, fold=False), 0.3, criterion="unit-norm")
    assert bench.network(pruned)(images).isfinite().all()


def test_pruning_what_training_brought_to_zero_changes_nothing(bench, images):
    penalty = {**PENALTIES["structure-selection"], "strength": 20.0}  # no block survives that
    key = train(bench, bench.train(), "sparsify", regulariser=penalty)
    converted = bench.convert(key, fold=False)
    scores = bench.tensors(bench.score(converted, "unit-norm"), "scores.safetensors")
    assert {name for name, each in scores.items() if not each.any()} == {"layer1.0.conv1", "layer2.0.conv1"}
    with torch.inference_mode():
        module = bench.network(key)
        expected = module(images)
        module.layer1[0].conv1.weight.zero_()
        assert torch.equal(module(images), expected)


def test_an_unknown_penalty_is_bad_input(bench, started, failure):
    shared = bench.tasks[bench.train()].params
    params = {"how": "sparsify", "train": shared["train"], "data": shared["data"], "seed": 0}
    outcome = bench.run(StageKind.TRAIN, {**params, "regulariser": {"kind": "slim"}}, network=started)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "regulariser 'slim': unknown" in outcome.message
