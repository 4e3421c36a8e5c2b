"""The repair of integral networks as parameters of tasks; keys of tasks without one are those from before."""

import copy

import pytest
from planned import ENVIRONMENT, curve_of, tasks_of

from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(**settings):
        method = {"kind": "integral", "tune": {"steps": 5}, **settings}
        sweep = {**copy.deepcopy(tiny_sweep), "methods": {"integral": method}}
        sweep["data"]["root"] = "somewhere"
        return plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT)

    return make


def params_of(made, stage):
    return [task.params for task in tasks_of(made, stage)]


def keys_of(made):
    return [point.keys for point in curve_of(made, "integral").points]


def test_none_is_no_part_of_any_key(plan):
    assert keys_of(plan()) == keys_of(plan(repair="none"))
    document = params_of(plan(), StageKind.PRUNE)[0].document()
    assert document["procedure"]["how"].keys() == {"kind", "partition", "quadrature"}
    assert "images" not in document["procedure"]


def test_the_variance_is_repaired_wherever_the_network_is_resampled(plan):
    made = plan(repair="variance", quadrature="means", ordering={"choice": "output"})
    assert {each.procedure.how.repair for each in params_of(made, StageKind.PRUNE)} == {"variance"}
    assert {each.how.repair for each in params_of(made, StageKind.TUNE)} == {"variance"}
    assert {(each.repair, each.quadrature) for each in params_of(made, StageKind.CHOOSE)} == {("variance", "means")}


def test_statistics_are_matched_after_tuning_on_images_of_the_data(plan):
    made = plan(repair="statistics", repair_images=8)
    assert {each.how.repair for each in params_of(made, StageKind.TUNE)} == {None}
    for task in tasks_of(made, StageKind.PRUNE):
        assert task.params.procedure.images.num_images == 8
        assert task.params.seed is not None
        assert task.locations.data.endswith("somewhere")


def test_orders_that_are_chosen_by_weights_are_compared_as_they_are_sampled(plan):
    chosen = [
        {each.quadrature for each in params_of(plan(ordering={"choice": "reconstruction"}, **given), StageKind.CHOOSE)}
        for given in ({"quadrature": "means"}, {"quadrature": "midpoint"})
    ]
    assert chosen == [{"means"}, {"product"}]
