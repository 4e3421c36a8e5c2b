"""Networks that become sparse by training, and networks of which single weights were removed."""

from pathlib import Path

import pytest
import torch

from jobs.outcome import Cause
from jobs.spec.sparsity import GroupLassoSpec, GrowingSpec, SlimmingSpec, SoftFilterSpec, StructureSelectionSpec
from jobs.stages.pruning import PruneParams, WeightPruning
from jobs.stages.training import SparseTraining, TrainParams

PENALTIES = {
    "slimming": SlimmingSpec(kind="slimming", strength=0.01),
    "structure-selection": StructureSelectionSpec(kind="structure-selection", strength=0.5, structures="blocks"),
    "soft-filter": SoftFilterSpec(kind="soft-filter"),
    "group-lasso": GroupLassoSpec(kind="group-lasso", strength=0.5),
    "growing": GrowingSpec(kind="growing", increase=0.5, interval=1),
}
TINY = {"network": "plain", "arguments": {"widths": [3, 6], "in_channels": 1}}


@pytest.fixture
def tiny(bench):
    """A trained network of 27 + 162 weights of convolutions, 264 parameters in all."""
    return bench.train(**TINY)


@pytest.fixture
def started(bench):
    """The same with its initial weights."""
    return bench.train(**TINY, recipe=None)


def sparsely(bench, network, sparsify, **changes):
    shared = bench.model()
    procedure = SparseTraining(
        network=network,
        analysis=bench.analyse(network, fold=False),
        recipe=shared.procedure.recipe,
        sparsify=sparsify,
        compression=0.3,
        **changes,
    )
    return bench.key(TrainParams(procedure=procedure, data=shared.data, seed=0))


def thinning(network, compression=0.5, **changes):
    procedure = WeightPruning(network=network, scope="global", linear=False, compression=compression, **changes)
    return PruneParams(procedure=procedure)


def thin(bench, network, **changes):
    return bench.key(thinning(network, **changes))


def masks_of(bench, key):
    return bench.tensors(key, "masks.safetensors")


def test_a_network_without_convolutions_keeps_all_its_weights_at_0(own_bench, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from obstacle_networks import WithoutConvolutions

    network = own_bench.put("obstacle_networks:WithoutConvolutions", WithoutConvolutions().state_dict())
    measured = own_bench.measured(thin(own_bench, network, compression=0.0))
    assert (measured["compression"], measured["weights"], measured["full_weights"]) == (0.0, {}, [])


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
    outcome = bench.run(thinning(tiny, 0.9))
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "parameters 187 can be removed: ask for 67.5% at most, or set `linear: true`" in outcome.message


def test_rewound_survivors_have_the_initial_values_bit_for_bit(bench, tiny, started):
    key = thin(bench, tiny, rewound=started)
    masks, found, initial = masks_of(bench, key), bench.tensors(key), bench.tensors(started)
    assert all(torch.equal(mask, masks_of(bench, thin(bench, tiny))[name]) for name, mask in masks.items())
    for name, tensor in initial.items():
        assert torch.equal(found[name], torch.where(masks[name], tensor, 0) if name in masks else tensor)


def test_what_is_removed_stays_away_in_every_later_training(bench, tiny):
    key = thin(bench, tiny)
    trained = [bench.key(bench.further(key)), bench.key(bench.scratch(key, tiny, seed=3))]
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
    first = thin(bench, tiny, round=1, rounds=2)
    second = thin(bench, bench.key(bench.further(first)), round=2, rounds=2)
    assert bench.measured(second)["params"] == 277 - 138
    # The share that is left after one of two rounds is the root of what is left after both: of 189, 51 and 98.
    assert bench.measured(first)["params"] == 277 - (189 - round(189 * (51 / 189) ** 0.5))
    for name, mask in masks_of(bench, second).items():
        assert not (mask & ~masks_of(bench, first)[name]).any()


@pytest.mark.parametrize("kind", PENALTIES)
def test_a_sparse_training_leaves_an_ordinary_network_that_can_be_pruned(bench, started, kind, images):
    network = bench.train() if kind == "structure-selection" else started
    key = sparsely(bench, network, PENALTIES[kind])
    assert bench.tensors(key).keys() == bench.tensors(network).keys()
    assert bench.digests(key).keys() == {"network.json", "weights.safetensors"}
    assert bench.measured(key)["params"] == bench.measured(network)["params"]
    assert bench.measured(key)["last"]["epoch"] == 1
    pruned = bench.remove(bench.convert(key, fold=False), 0.3, criterion="unit-norm")
    assert bench.network(pruned)(images).isfinite().all()


def test_pruning_what_training_brought_to_zero_changes_nothing(bench, images):
    strong = PENALTIES["structure-selection"].model_copy(update={"strength": 20.0})  # no block survives that
    key = sparsely(bench, bench.train(), strong)
    converted = bench.convert(key, fold=False)
    scores = bench.tensors(bench.score(converted, "unit-norm"), "scores.safetensors")
    assert {name for name, each in scores.items() if not each.any()} == {"layer1.0.conv1", "layer2.0.conv1"}
    with torch.inference_mode():
        module = bench.network(key)
        expected = module(images)
        module.layer1[0].conv1.weight.zero_()
        assert torch.equal(module(images), expected)


@pytest.mark.parametrize(("multiple", "filters"), [(None, [2, 5]), (3, [3, 3])])
def test_as_many_filters_stay_as_pruning_leaves_of_multiples(bench, started, multiple, filters):
    tensors = bench.tensors(sparsely(bench, started, PENALTIES["soft-filter"], multiple=multiple))
    found = [tensors[f"features.{layer}.weight"].flatten(1).any(1).sum().item() for layer in (0, 4)]
    assert found == filters
