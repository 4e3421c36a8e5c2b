from dataclasses import replace
from pathlib import Path

from jobs.outcome import Cause
from jobs.stages.channels import AnalyseParams, Architecture
from workers.channels import ChannelMap
from workers.network import NetworkRecipe


def test_it_leaves_the_recipe_and_the_channel_groups_and_no_weights(bench):
    key = bench.analyse()
    assert bench.digests(key).keys() == {"network.json", "channels.json"}
    recipe, before = (NetworkRecipe.from_json(bench.store.read(each, "network.json")) for each in (key, bench.train()))
    assert ("conv1", "bn1") in recipe.folded
    assert replace(recipe, folded=()) == before
    widths = ChannelMap.from_json(bench.json(key, "channels.json")).widths()
    assert bench.measured(key)["groups"] == [{"name": name, "width": width} for name, width in widths.items()]


def test_two_seeds_share_one(bench):
    keys = {bench.params(bench.convert(bench.train(seed=seed, recipe=None))).analysis for seed in (0, 1)}
    assert keys == {bench.analyse()}


def test_what_the_data_shows_is_what_the_network_takes(bench):
    said = bench.analysis()
    shown = replace(said, architecture=replace(said.architecture, inputs=None), data=bench.model().data)
    assert bench.digests(bench.key(shown)) == bench.digests(bench.analyse())


def test_a_network_around_a_backbone_is_analysed_with_it(bench):
    here = "tests.support.with_backbone"
    backbone = Architecture(network=f"{here}:one_size", arguments={"widths": [4, 6]})
    architecture = Architecture(network=f"{here}:with_backbone", arguments={"width": 4}, backbone=backbone)
    key = bench.key(AnalyseParams(architecture=architecture, data=bench.model().data, fold_batchnorm=True))
    assert {each["name"]: each["width"] for each in bench.measured(key)["groups"]} == {
        "backbone.0": 4,
        "backbone.3": 6,
        "head.0": 4,
    }


def test_a_network_of_which_nothing_can_go_is_an_error_that_says_why(own_bench, monkeypatch, failure):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import obstacle_networks

    trained = own_bench.put("obstacle_networks:Unprunable", obstacle_networks.Unprunable().state_dict())
    outcome = failure(own_bench.run(own_bench.analysis(trained, fold=False)))
    assert outcome.cause is Cause.BAD_INPUT
    assert (
        "network 'obstacle_networks:Unprunable': no channel of it can be removed: "
        "only: normalises over channels (aten.softmax.int)"
    ) in outcome.message
