"""Models with a data set and an objective of their own."""

from dataclasses import replace

from planned import ENVIRONMENT, tasks_of

from jobs.load import load_sweep
from jobs.stages.common import CLASSIFICATION
from jobs.stages.table import StageKind
from jobs.stages.training import ModelWeights
from orchestrator.planning import plan_sweep

PLAIN = {"network": "plain", "train": {"epochs": 1}}
ENLARGING = {
    "network": "edsr",
    "arguments": {"scale": 2},
    "train": {"epochs": 1},
    "objective": {"kind": "super-resolution", "scale": 2},
    "data": {"dataset": "math:prod", "root": "/photos", "test_images": 3, "batch_size": 8},
}


def planned(write_sweep):
    sweep = {
        "name": "two",
        "data": {"dataset": "digits"},
        "models": {"net": PLAIN, "large": ENLARGING},
        "methods": {"taylor": {"kind": "criterion", "criterion": "taylor", "compressions": [0.5]}},
    }
    environment = replace(ENVIRONMENT, own_data={"models.large.data": "own"}, sources={"math:prod": "code"})
    return plan_sweep(load_sweep(str(write_sweep(sweep))), environment)


def test_every_task_has_the_data_and_the_objective_of_its_model(write_sweep):
    plan = planned(write_sweep)
    for task in plan.tasks.values():
        data = getattr(task.params, "data", None) or getattr(getattr(task.params, "images", None), "data", None)
        if data is not None:
            own = task.family == "large"
            expected = ("math:prod", "code", "own") if own else ("digits", None, "d")
            assert (data.dataset, data.source, data.fingerprint) == expected
            assert task.locations.data == ("/photos" if own else None)
            objective = getattr(task.params, "objective", None)
            assert objective is None or (objective == CLASSIFICATION) is not own
    trained = {task.family: task.locations.evaluation_batch_size for task in tasks_of(plan, StageKind.TRAIN)}
    assert trained == {"net": 256, "large": 8}
    evaluated = {task.family: task.params.num_images for task in tasks_of(plan, StageKind.EVALUATE)}
    assert evaluated == {"net": None, "large": 3}
    assert {curve.model: curve.dataset for curve in plan.curves} == {"net": "digits", "large": "math:prod"}


def test_bicubic_enlargement_is_one_network_that_is_evaluated(write_sweep):
    plan = planned(write_sweep)
    (curve,) = (curve for curve in plan.curves if curve.method == "bicubic")
    (point,) = curve.points
    network = plan.tasks[plan.tasks[point.key].params.network]
    assert network.params.procedure == ModelWeights(network="bicubic", arguments={"scale": 2})
    assert (curve.model, point.compression, point.further) == ("large", 0.0, ())
