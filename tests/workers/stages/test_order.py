import json

import pytest

PERMUTATION = {"ordering": {"method": "tsp", "metric": "l1", "effort": "fast"}, "seed": 0}


@pytest.fixture
def orders(bench):
    return bench.orders(bench.convert(), PERMUTATION)


def test_there_is_one_task_per_group(bench, orders):
    groups = bench.measured(bench.convert())["groups"]
    assert [bench.tasks[key].params["group"] for key in orders] == [group["name"] for group in groups]
    assert [bench.measured(key)["width"] for key in orders] == [group["width"] for group in groups]


def test_it_measures_lengths_and_a_bound(bench, orders):
    for key in orders:
        measured = bench.measured(key)
        assert measured.keys() == {"width", "length", "identity_length", "lower_bound", "status"}
        assert 0 < measured["lower_bound"] <= measured["length"] <= measured["identity_length"]


def test_the_order_names_every_channel_once(bench, orders):
    for key in orders:
        assert sorted(json.loads(bench.store.read(key, "order.json"))) == list(range(bench.measured(key)["width"]))


def test_the_time_it_took_is_no_part_of_the_result(bench, orders):
    assert bench.store.manifest(orders[0]).timings.keys() == {"solve_s"}


def test_the_identity_is_an_order(bench):
    identity = {"ordering": {**PERMUTATION["ordering"], "method": "identity"}, "seed": None}
    for key in bench.orders(bench.convert(), identity):
        order, measured = bench.json(key, "order.json"), bench.measured(key)
        assert order == list(range(measured["width"]))
        assert measured["length"] == measured["identity_length"]
