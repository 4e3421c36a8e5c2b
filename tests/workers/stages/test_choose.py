import pytest
import torch

from workers.channels import ChannelMap, select

CHOICES = ["reconstruction", "output"]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_network_computes_the_same(bench, images, choice):
    converted, chosen = bench.convert(), bench.choose(choice)
    with torch.inference_mode():
        expected = bench.network(converted).double()(images.double())
        found = bench.network(chosen).double()(images.double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)  # only the order of sums differs


@pytest.mark.parametrize("choice", CHOICES)
def test_the_error_falls(bench, choice):
    measured = bench.measured(bench.choose(choice))
    assert 0 < measured["error_after"] < measured["error_before"]


@pytest.mark.parametrize("choice", CHOICES)
def test_it_measures_the_orders_that_were_chosen(bench, choice):
    measured, permuted = bench.measured(bench.choose(choice)), bench.measured(bench.permute(pool=4))
    assert measured["total_variation_before"] == permuted["total_variation_before"]
    assert measured["total_variation_after"] == sum(group["length"] for group in measured["groups"])
    longer = 0
    for group, shortest in zip(measured["groups"], permuted["groups"], strict=True):
        assert shortest["length"] <= group["length"] <= 1.02 * shortest["length"]
        assert group["gap"] == pytest.approx(1 - group["lower_bound"] / group["length"])
        longer += group["length"] > shortest["length"]
        assert group["status"] == ("feasible" if group["length"] > shortest["length"] else shortest["status"])
    assert longer


@pytest.mark.parametrize("choice", CHOICES)
def test_the_channels_stand_in_the_orders_that_were_chosen(bench, choice):
    # Of paths within a pool no two are of one length here, so that the length that was measured names the path.
    permuted, chosen = bench.permute(pool=4), bench.choose(choice)
    pools = bench.json(permuted, "pools.json")
    orders = {}
    for group in bench.measured(chosen)["groups"]:
        pool = pools[group["group"]]
        assert len(set(pool["lengths"])) == len(pool["lengths"])
        orders[group["group"]] = torch.tensor(pool["orders"][pool["lengths"].index(group["length"])])
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    expected = select(bench.tensors(permuted), channel_map, orders)
    found = bench.tensors(chosen)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert any(not torch.equal(found[name], tensor) for name, tensor in bench.tensors(permuted).items())


def test_a_network_that_resampling_left_alone_would_choose_the_shortest(bench):
    # At full size resampling is the identity: every order has the same error, none, and the first is taken.
    chosen, permuted = bench.choose("reconstruction", compression=0.0), bench.permute(pool=4)
    assert bench.digests(chosen)["weights.safetensors"] == bench.digests(permuted)["weights.safetensors"]


def test_what_comes_after_reads_it_like_a_permuted_network(bench):
    chosen = bench.choose("output")
    assert bench.digests(chosen)["channels.json"] == bench.digests(bench.convert())["channels.json"]
    assert bench.measured(bench.resample(chosen))["compression"] == pytest.approx(0.3, abs=0.05)
    assert bench.store.manifest(chosen).timings.keys() == {group["group"] for group in bench.measured(chosen)["groups"]}


def test_what_the_norms_knew_comes_into_the_chosen_order(bench):
    chosen, converted = bench.choose("output"), bench.convert()
    before, after = (bench.tensors(key, "moments.safetensors") for key in (converted, chosen))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name].sort().values, each.sort().values) for name, each in before.items())


def test_outputs_of_repaired_networks_can_be_compared(bench):
    chosen = bench.choose("output")
    params = bench.params(chosen, repair="variance", quadrature="means")
    assert bench.measured(bench.key(params))["error_before"] != bench.measured(chosen)["error_before"]
