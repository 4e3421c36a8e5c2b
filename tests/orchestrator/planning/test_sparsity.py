import copy

import pytest

from jobs.load import load_sweep
from jobs.task import StageKind
from orchestrator.planning import Surroundings, plan_sweep

SURROUNDINGS = Surroundings(device="cpu", torch_version="2.0", ortools_version="9", data="d", weights={}, sources={})
L1 = {"kind": "criterion", "criterion": "l1"}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    """The plan of the tiny sweep, its model trained for eight epochs, with these methods beside the dense network."""

    def make(**methods):
        sweep = {**copy.deepcopy(tiny_sweep), "compressions": [0.2, 0.4]}
        sweep["models"]["net"]["train"] = {"epochs": 8}
        sweep["methods"] = {"dense": {"kind": "dense"}, **methods}
        return plan_sweep(load_sweep(write_sweep(sweep)), SURROUNDINGS)

    return make


def before(plan, task, *roles):
    for role in roles or ("network",):
        task = plan.tasks[task.inputs[role]]
    return task


def pruned(plan, method):
    """The tasks that leave the networks of a method's points."""
    (curve,) = (curve for curve in plan.curves if curve.method == method)
    return [before(plan, plan.tasks[point.key]) for point in curve.points]


def test_one_sparse_training_serves_all_compressions_and_criteria(plan):
    sparsify = {"kind": "slimming", "strength": 0.01}
    made = plan(a={**L1, "sparsify": sparsify}, b={**L1, "criterion": "batchnorm-scale", "sparsify": sparsify})
    (training,) = {before(made, task, "network", "network").key for method in "ab" for task in pruned(made, method)}
    task = made.tasks[training]
    assert task.stage is StageKind.TRAIN
    assert (task.params["how"], task.params["train"]["epochs"], task.params["seed"]) == ("sparsify", 8, 0)
    assert task.params["regulariser"] == {"kind": "slimming", "strength": 0.01, "from_scratch": True}
    assert before(made, task).params["train"] is None  # random weights


def test_soft_filter_pruning_trains_for_every_compression(plan):
    made = plan(soft={**L1, "criterion": "l2", "sparsify": {"kind": "soft-filter"}})
    trainings = [before(made, task, "network", "network") for task in pruned(made, "soft")]
    assert [task.params["regulariser"] for task in trainings] == [
        {"kind": "soft-filter", "compression": compression} for compression in (0.2, 0.4)
    ]


def test_it_may_start_from_the_models_own_weights_with_a_recipe_of_its_own(plan):
    sparsify = {"kind": "slimming", "start": "network", "train": {"epochs": 3}}
    made = plan(a={**L1, "sparsify": sparsify})
    task = before(made, pruned(made, "a")[0], "network", "network")
    assert task.params["train"]["epochs"] == 3
    assert task.params["regulariser"]["from_scratch"] is False
    assert before(made, task).key == pruned(made, "dense")[0].key


def test_methods_without_it_keep_their_keys(plan):
    alone, beside = plan(l1=L1), plan(l1=L1, sparse={**L1, "sparsify": {"kind": "group-lasso"}})
    assert alone.tasks.keys() < beside.tasks.keys()


def test_single_weights_go_from_the_models_own_network(plan):
    made = plan(thin={"kind": "unstructured"})
    low, high = pruned(made, "thin")
    assert (low.stage, low.inputs) == (StageKind.PRUNE, {"network": pruned(made, "dense")[0].key})
    assert high.params == {"how": "magnitude", "scope": "global", "linear": False, "compression": 0.4}


def test_a_lottery_ticket_is_pruned_rewound_and_trained_in_every_round(plan):
    made = plan(ticket={"kind": "unstructured", "rounds": 2, "rewind": {}})
    last = pruned(made, "ticket")[0]
    second, first = before(made, last), before(made, last, "network", "network", "network")
    assert [task.params["round"] for task in (first, second)] == [[1, 2], [2, 2]]
    assert first.inputs["start"] == second.inputs["start"]
    start = made.tasks[first.inputs["start"]]
    assert (start.params["train"], start.params["seed"]) == (None, 0)
    assert before(made, first).key == pruned(made, "dense")[0].key
    for task in (last, before(made, second)):
        assert (task.params["how"], task.params["train"]["epochs"], "begin" in task.params) == ("further", 8, False)


def test_rewound_to_a_later_epoch_it_trains_from_there(plan):
    made = plan(ticket={"kind": "unstructured", "rewind": {"epoch": 2}})
    last = pruned(made, "ticket")[0]
    assert last.params["begin"] == 2
    assert "round" not in before(made, last).params
    assert before(made, last, "network", "start").params["until"] == 2


def test_rounds_without_rewinding_train_between_them_alone(plan):
    made = plan(thin={"kind": "unstructured", "rounds": 2})
    last = pruned(made, "thin")[0]
    assert (last.stage, last.params["round"]) == (StageKind.PRUNE, [2, 2])
    assert before(made, last).params["how"] == "further"
    assert before(made, last, "network", "network").inputs == {"network": pruned(made, "dense")[0].key}
