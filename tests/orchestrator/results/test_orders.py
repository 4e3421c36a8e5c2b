"""Which orders lie under a curve, from a store of hand-made manifests: evaluate <- prune <- permute."""

import pytest

from jobs.artifact import Manifest
from orchestrator.planning import PlannedCurve, PlannedPoint
from orchestrator.results import METRICS, Curve, Point
from orchestrator.results.orders import collect_orders
from orchestrator.store import open_store

CERTIFICATE = {
    "group": "layer1",
    "width": 8,
    "length": 4.0,
    "identity_length": 9.5,
    "lower_bound": 3.0,
    "gap": 0.25,
    "status": "feasible",
}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def commit(store, key, stage, source=None, measurements=None, timings=None):
    role = "procedure.network" if stage == "prune" else "network"
    manifest = Manifest(
        key=key,
        stage=stage,
        identity={},
        inputs={role: source} if source else {},
        measurements=measurements or {},
        timings=timings or {},
    )
    store.commit(manifest, {})
    return key


def permuted(store, key="a" * 32, measurements=None):
    measurements = {"groups": [CERTIFICATE]} if measurements is None else measurements
    return commit(store, key, "permute", "9" * 32, measurements, {"layer1": 1.5})


def curve(method, key):
    plan = PlannedCurve(
        model="net",
        dataset="digits",
        method=method,
        protocol="none",
        seed=3,
        points=(PlannedPoint(compression=0.2, key=key),),
    )
    return Curve(plan=plan, points=(Point(asked=0.2, key=key, metrics=dict.fromkeys(METRICS, 0.5), created_s=1.0),))


def test_orders_are_found_behind_the_points(store):
    pruned = commit(store, "b" * 32, "prune", permuted(store))
    (found,) = collect_orders([curve("integral", commit(store, "c" * 32, "evaluate", pruned))], store)
    assert (found.method, found.seed, found.group, found.gap, found.solve_s) == ("integral", 3, "layer1", 0.25, 1.5)


def test_chosen_orders_count_in_place_of_the_shortest(store):
    longer = {"groups": [{**CERTIFICATE, "length": 4.1}]}
    chosen = commit(store, "f" * 32, "choose", permuted(store), longer, {"layer1": 1.5})
    pruned = commit(store, "b" * 32, "prune", chosen)
    (found,) = collect_orders([curve("integral", commit(store, "c" * 32, "evaluate", pruned))], store)
    assert (found.length, found.solve_s) == (4.1, 1.5)


def test_two_curves_on_one_permutation_each_have_its_orders(store):
    pruned = commit(store, "b" * 32, "prune", permuted(store))
    curves = [
        curve("one", commit(store, "c" * 32, "evaluate", pruned)),
        curve("two", commit(store, "d" * 32, "evaluate", pruned)),
    ]
    assert [order.method for order in collect_orders(curves, store)] == ["one", "two"]


def test_a_curve_without_permutation_has_none(store):
    pruned = commit(store, "b" * 32, "prune", commit(store, "e" * 32, "convert"))
    assert collect_orders([curve("l1", commit(store, "c" * 32, "evaluate", pruned))], store) == ()


def test_a_curve_without_points_has_none(store):
    empty = Curve(plan=curve("integral", "c" * 32).plan, points=())
    assert collect_orders([empty], store) == ()


def test_what_is_gone_is_left_out(store):
    assert collect_orders([curve("integral", commit(store, "c" * 32, "evaluate", "b" * 32))], store) == ()


def test_permutations_of_earlier_versions_list_no_orders(store):
    pruned = commit(store, "b" * 32, "prune", permuted(store, measurements={"total_variation_before": 1.0}))
    assert collect_orders([curve("integral", commit(store, "c" * 32, "evaluate", pruned))], store) == ()
