"""Stages on a network of which only parts can be traced."""

import pytest
from partial_networks import tiny_classifier

from jobs.outcome import Cause
from jobs.stages.pruning import PruneParams, WeightPruning
from workers.artifacts import ArtifactReader
from workers.channels import ChannelMap, MacCount
from workers.gates.fresh import outputs_digest
from workers.network import NetworkRecipe, StoredNetwork
from workers.stages._allocation import _memory

PARTS = ("backbone", "head")


@pytest.fixture(scope="module")
def own_bench(bench, tmp_path_factory):
    """One that these tests share."""
    return type(bench)(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def trained(own_bench):
    return own_bench.put("partial_networks:tiny_classifier", tiny_classifier().state_dict())


@pytest.fixture(scope="module")
def converted(own_bench, trained):
    """The key of the network with its channel groups."""
    return own_bench.convert(trained, parts=PARTS)


def test_conversion_finds_the_groups_of_the_parts(own_bench, converted):
    measured = own_bench.measured(converted)
    assert measured["groups"] == [
        {"name": "backbone.stem", "width": 6},
        {"name": "backbone.deep", "width": 8},
        {"name": "head.first", "width": 10},
    ]
    assert [each["reason"] for each in measured["refused"]] == [f"crosses the border of {part}" for part in PARTS]
    recipe = NetworkRecipe.from_json(own_bench.store.read(converted, "network.json"))
    assert (recipe.parts, recipe.folded) == (PARTS, (("backbone.stem", "backbone.norm"),))


def test_a_network_that_cannot_be_traced_is_told_what_to_do(own_bench, trained):
    outcome = own_bench.run(own_bench.analysis(trained))
    assert outcome.cause is Cause.BAD_INPUT
    assert "name them in the sweep file, such as `prunable: [backbone]`" in outcome.message


def test_removal_passes_its_gate_and_counts_with_the_same_boxes(own_bench, converted):
    measured = own_bench.measured(own_bench.remove(converted, 0.3))
    channel_map = ChannelMap.from_json(own_bench.json(converted, "channels.json"))
    assert measured["compression"] == pytest.approx(0.3, abs=0.03)
    assert measured["macs"] == MacCount(channel_map)(measured["widths"])
    assert measured["speedup"] == own_bench.measured(converted)["macs"] / measured["macs"]


def test_channels_are_permuted_and_resampled(own_bench, converted):
    measured = own_bench.measured(own_bench.resample(own_bench.permute(converted, "norm"), 0.3))
    assert measured["widths"].keys() == {"backbone.stem", "backbone.deep", "head.first"}


def test_single_weights_count_for_macs_as_often_as_their_layer(own_bench, converted):
    procedure = WeightPruning(network=converted, compression=0.3, scope="global", linear=True, round=1, rounds=1)
    measured = own_bench.measured(own_bench.key(PruneParams(procedure=procedure)))
    assert 1 < measured["speedup"] < 2


def test_the_digest_of_a_reloaded_network_covers_its_parts(own_bench, converted):
    recipe, state = (own_bench.store.read(converted, name) for name in ("network.json", "weights.safetensors"))
    whole = recipe.replace(b'"parts": ["backbone", "head"]', b'"parts": []')
    assert outputs_digest(recipe, state) == outputs_digest(recipe, state) != outputs_digest(whole, state)


def test_memory_depends_on_the_widths_in_the_parts(own_bench, converted):
    network = StoredNetwork(ArtifactReader(own_bench.store), converted)
    _, costs = _memory(network, 1)
    assert max(cost({}) for cost in costs) > max(cost({"backbone.stem": 1, "backbone.deep": 1}) for cost in costs)


@pytest.mark.parametrize("criterion", ["taylor", "apoz"])
def test_criteria_that_observe_see_the_parts_whatever_the_number_of_boxes(own_bench, converted, criterion):
    assert own_bench.measured(own_bench.score(converted, criterion))["groups_scored"] == 3
