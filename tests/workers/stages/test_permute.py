from dataclasses import replace

import pytest
import torch

from jobs.outcome import Cause
from workers.integral.smoothing import smooth
from workers.network import StoredNetwork


def test_it_measures_the_total_variation(bench):
    key = bench.permute()
    measured = bench.measured(key)
    assert measured.keys() == {"total_variation_before", "total_variation_after", "groups"}
    for name, summed in [("total_variation_before", "identity_length"), ("total_variation_after", "length")]:
        assert measured[name] == pytest.approx(sum(group[summed] for group in measured["groups"]))
    assert measured["total_variation_after"] < measured["total_variation_before"]


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("method", ["tsp", "random"])
def test_the_network_computes_the_same(bench, images, method, fold):
    converted = bench.convert(fold=fold)
    permuted = bench.permute(converted, method)
    with torch.inference_mode():
        expected = bench.network(converted).double()(images.double())
        found = bench.network(permuted).double()(images.double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)  # only the order of sums differs
    assert bench.digests(permuted)["weights.safetensors"] != bench.digests(converted)["weights.safetensors"]


def test_it_carries_the_certificates_of_all_orders(bench):
    converted, key = bench.convert(), bench.permute()
    certificates = [
        certificate for order in bench.orders(bench.params(key)) for certificate in bench.measured(order)["groups"]
    ]
    assert bench.measured(key)["groups"] == certificates
    names = {group["name"] for group in bench.measured(converted)["groups"]}
    assert {certificate["group"] for certificate in certificates} == names
    assert bench.store.manifest(key).timings.keys() == names


def test_channels_stand_in_the_order_that_was_found(bench):
    converted, permuted = bench.convert(), bench.permute()
    orders = [bench.json(key, "orders.json") for key in bench.orders(bench.params(permuted))]
    order = next(found["layer1.0.conv1"]["orders"][0] for found in orders if "layer1.0.conv1" in found)
    before, after = bench.tensors(converted), bench.tensors(permuted)
    assert torch.equal(after["layer1.0.conv1.bias"], before["layer1.0.conv1.bias"][order])


def test_the_channel_map_stays(bench):
    converted = bench.digests(bench.convert())
    assert bench.digests(bench.permute())["channels.json"] == converted["channels.json"]


def test_the_identity_changes_nothing(bench):
    assert bench.digests(bench.permute(method="identity")) == bench.digests(bench.convert())


def test_orders_that_are_not_there_have_to_be_made_again(own_bench, failure):
    outcome = own_bench.run(own_bench.permutation(own_bench.convert(), metric="l2"))
    assert failure(outcome).cause is Cause.CORRUPT
    assert not own_bench.store.has(outcome.damaged)


def test_fewer_coefficients_leave_the_nearest_smooth_network_in_the_same_order(bench):
    exact, converted = bench.permute(), bench.convert()
    smoothed = bench.key(replace(bench.permutation(converted), coefficients=0.5))
    before, after = bench.tensors(exact), bench.tensors(smoothed)
    expected = smooth(before, StoredNetwork(bench.store, exact).channel_map, 0.5)
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], expected[name]) for name in before)
    assert any(not torch.equal(after[name], before[name]) for name in before)
    assert bench.measured(smoothed) == bench.measured(exact)
