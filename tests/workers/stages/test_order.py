from dataclasses import replace

import pytest

from jobs.outcome import Cause
from jobs.stages.channels import OrderParams


@pytest.fixture
def orders(bench):
    return bench.orders(bench.permutation(bench.convert()))


def certificates(bench, orders):
    return [certificate for key in orders for certificate in bench.measured(key)["groups"]]


def test_every_group_is_ordered_by_one_task(bench, orders):
    groups = bench.measured(bench.convert())["groups"]
    found = {certificate["group"]: certificate["width"] for certificate in certificates(bench, orders)}
    assert found == {group["name"]: group["width"] for group in groups}
    assert sum(len(bench.params(key).groups) for key in orders) == len(groups)


def test_it_measures_lengths_a_bound_and_the_gap(bench, orders):
    for measured in certificates(bench, orders):
        assert measured.keys() == {"group", "width", "length", "identity_length", "lower_bound", "gap", "status"}
        assert 0 < measured["lower_bound"] <= measured["length"] <= measured["identity_length"]
        assert measured["gap"] == pytest.approx(1 - measured["lower_bound"] / measured["length"])


def test_an_order_names_every_channel_once(bench, orders):
    for key in orders:
        found = bench.json(key, "orders.json")
        for measured in bench.measured(key)["groups"]:
            assert sorted(found[measured["group"]]["orders"][0]) == list(range(measured["width"]))


def test_the_time_it_took_is_no_part_of_the_result(bench, orders):
    for key in orders:
        assert bench.store.manifest(key).timings.keys() == set(bench.params(key).groups)


@pytest.mark.parametrize(("method", "seed"), [("identity", None), ("norm", None), ("spectral", None), ("random", 1)])
def test_the_references_are_orders_too(bench, method, seed):
    asked = replace(bench.permutation(bench.convert(), method), seed=seed)
    for key in bench.orders(asked):
        for measured in bench.measured(key)["groups"]:
            [order] = bench.json(key, "orders.json")[measured["group"]]["orders"]
            assert (order == list(range(measured["width"]))) == (method == "identity")


def test_a_pool_is_kept_with_its_lengths_and_begins_with_the_shortest(bench):
    for key in bench.orders(bench.permutation(bench.convert(), pool=4)):
        for measured in bench.measured(key)["groups"]:
            pool = bench.json(key, "orders.json")[measured["group"]]
            assert pool["lengths"][0] == measured["length"]
            assert pool["lengths"] == sorted(pool["lengths"])
            assert 1 < len(pool["lengths"]) == len(pool["orders"]) <= 4


def test_what_is_selected_by_number_cannot_be_interpolated(bench, failure):
    arguments = {"growth": 3, "layers": 1, "in_channels": 1, "channel_selection": True}
    network = bench.train(network="densenet", arguments=arguments, recipe=None)
    permutation = bench.permutation(bench.convert(network, fold=False))
    groups = ("features.block1.0.select.index",)
    params = OrderParams(network=permutation.network, groups=groups, ordering=permutation.ordering, seed=0)
    failed = failure(bench.run(params))
    assert failed.cause is Cause.BAD_INPUT
    assert "features.block1.0.select.index: channels are selected by index" in failed.message
