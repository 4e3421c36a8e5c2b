"""Folding as parameters of tasks."""

import copy

import pytest
from planned import ENVIRONMENT, tasks_of

from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(**settings):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": {"folded": {"kind": "fold", **settings}}, "seeds": [0, 1]}
        sweep["data"]["root"] = "somewhere"
        return tasks_of(plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT), StageKind.PRUNE)

    return make


def folds_of(tasks):
    return [task.params for task in tasks if task.params.procedure.how.kind == "fold"]


def test_only_what_draws_depends_on_the_seed(plan):
    assert {each.seed for each in folds_of(plan())} == {None}
    assert {each.seed for each in folds_of(plan(clustering="kmeans"))} == {0, 1}


def test_the_approximate_repair_needs_no_images_and_that_on_data_some(plan):
    approximate, measured = folds_of(plan())[0].procedure, folds_of(plan(repair="data", repair_images=8))[0].procedure
    assert (approximate.how.repair, approximate.images) == ("variance", None)
    assert (measured.how.repair, measured.images.num_images) == (None, 8)
    assert folds_of(plan(repair="none"))[0].procedure.how.repair is None
