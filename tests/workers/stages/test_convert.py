from pathlib import Path

import pytest
import torch

from jobs.outcome import Cause
from jobs.stages.channels import ConvertParams
from workers.channels import ChannelMap


@pytest.mark.parametrize("fold", [True, False])
def test_it_measures_groups_refusals_and_sizes(bench, fold):
    measured = bench.measured(bench.convert(fold=fold))
    assert measured.keys() == {"groups", "refused", "params", "macs", "size_bytes"}
    # The stem and both second convolutions of 8 channels are one sum; projection and last convolution another.
    widths = [group["width"] for group in measured["groups"]]
    assert (sorted(widths), measured["refused"]) == ([8, 8, 12, 12], [])


@pytest.mark.parametrize("fold", [True, False])
def test_the_network_computes_the_same(bench, images, fold):
    with torch.inference_mode():
        found = bench.network(bench.convert(fold=fold)).double()(images.double())
        expected = bench.network(bench.train()).double()(images.double())
    # Folded weights are stored in single precision.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_folding_leaves_no_batch_norm(bench):
    measured, before = bench.measured(bench.convert()), bench.measured(bench.train())
    assert not any("running" in name for name in bench.tensors(bench.convert()))
    # A norm has two numbers per channel, the bias in its place one: 8 + 2 * 8 + 3 * 12 fewer.
    assert before["params"] - measured["params"] == 8 + 2 * 8 + 3 * 12
    assert measured["macs"] == before["macs"]


def test_without_folding_not_a_bit_changes(bench):
    assert (
        bench.digests(bench.convert(fold=False))["weights.safetensors"]
        == bench.digests(bench.train())["weights.safetensors"]
    )


def test_the_channel_map_can_be_read(bench):
    key = bench.convert()
    channel_map = ChannelMap.from_json(bench.json(key, "channels.json"))
    assert [{"name": name, "width": width} for name, width in channel_map.widths().items()] == bench.measured(key)[
        "groups"
    ]


def test_groups_and_refusals_are_those_of_the_analysis(bench):
    analysed, converted = bench.analyse(), bench.convert()
    assert bench.digests(converted)["channels.json"] == bench.digests(analysed)["channels.json"]
    assert bench.measured(analysed) == {name: bench.measured(converted)[name] for name in ("groups", "refused")}


def test_a_network_of_another_structure_than_the_analysed_one_is_refused(bench, failure):
    network, analysis = bench.train(), bench.analyse(bench.train(arguments={"widths": [8, 16], "in_channels": 1}))
    outcome = failure(bench.run(ConvertParams(network=network, analysis=analysis)))
    assert outcome.cause is Cause.BAD_INPUT
    assert "network 'resnet' differs from what the same callable built" in outcome.message
    assert "'layer2.0.conv1.weight' has shape (12, 8, 3, 3), and had (16, 8, 3, 3); " in outcome.message


def test_a_network_that_folding_would_change_is_refused(own_bench, monkeypatch, failure):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import obstacle_networks

    network = obstacle_networks.Unfoldable()
    network.norm.running_mean.fill_(1.0)
    trained = own_bench.put("obstacle_networks:Unfoldable", network.state_dict())
    analysis = own_bench.analyse(trained, fold=True)
    outcome = failure(own_bench.run(ConvertParams(network=trained, analysis=analysis)))
    assert outcome.cause is Cause.BAD_NETWORK
    assert "folding its batch norms changes its outputs by " in outcome.message
    own_bench.convert(trained, fold=False)
