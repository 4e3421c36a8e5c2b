"""Least-squares repair: what it reads, and of which methods."""

import copy

import pytest
from planned import ENVIRONMENT, back, tasks_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

METHODS = {
    "dense": {"kind": "dense"},
    "l1": {"kind": "criterion", "criterion": "l1"},
    "integral": {"kind": "integral"},
}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(*overrides):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": METHODS}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), ENVIRONMENT)

    return make


def test_repair_reads_the_pruned_network_and_the_one_that_it_was_cut_from(plan):
    made = plan(
        "protocols.mended={kind: repair, images: 64}",
        "methods.l1.protocols=[mended]",
        "methods.thinet={kind: reconstruction, how: thinet, protocols: [none, mended]}",
    )
    repaired = tasks_of(made, StageKind.REPAIR)
    assert {task.params.images.num_images for task in repaired} == {64}
    assert all(back(made, task, 2).key == task.params.dense for task in repaired)
    assert {back(made, task).stage for task in repaired} == {StageKind.PRUNE, StageKind.RECONSTRUCT}


def test_a_network_that_lost_no_channels_cannot_be_repaired(plan):
    with pytest.raises(InvalidFileError, match="method dense with protocol 'mended': it takes no channels away"):
        plan("protocols.mended={kind: repair}", "methods.dense.protocols=[mended]")


def test_a_network_whose_channels_were_mixed_is_repaired_by_the_one_that_it_was_made_of(plan):
    made = plan("protocols.mended={kind: repair}", "methods.integral.protocols=[mended]")
    repaired = tasks_of(made, StageKind.REPAIR)
    assert len(repaired) == 2
    assert all(back(made, task).params.procedure.network == task.params.dense for task in repaired)
