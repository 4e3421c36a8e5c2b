import copy

import pytest
from planned import ENVIRONMENT, back, curve_of

from jobs.load import load_sweep
from jobs.spec.sparsity import SlimmingSpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.pruning import WeightPruning
from jobs.stages.training import SparseTraining
from orchestrator.planning import plan_sweep

L1 = {"kind": "criterion", "criterion": "l1"}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    """The plan of the tiny sweep, its model trained for eight epochs, with these methods beside the dense network."""

    def make(target="parameters", **methods):
        sweep = {**copy.deepcopy(tiny_sweep), "compressions": [0.2, 0.4], "target": target}
        sweep["models"]["net"]["train"] = {"epochs": 8}
        sweep["methods"] = {"dense": {"kind": "dense"}, **methods}
        return plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT)

    return make


def pruned(plan, method):
    """The tasks that leave the networks of a method's points."""
    return [back(plan, plan.tasks[point.key]) for point in curve_of(plan, method).points]


def test_one_sparse_training_serves_all_compressions_and_criteria(plan):
    sparsify = {"kind": "slimming", "strength": 0.01}
    made = plan(a={**L1, "sparsify": sparsify}, b={**L1, "criterion": "batchnorm-scale", "sparsify": sparsify})
    (training,) = {back(made, task, 2).key for method in "ab" for task in pruned(made, method)}
    task = made.tasks[training]
    assert task.params.procedure == SparseTraining(
        network=ArtifactKey(back(made, task).key),
        analysis=ArtifactKey(made.tasks[back(made, pruned(made, "a")[0]).key].inputs["analysis"]),
        recipe=Recipe(epochs=8),
        sparsify=SlimmingSpec(kind="slimming", strength=0.01),
    )
    assert task.params.seed == 0
    assert back(made, task).params.procedure.recipe is None  # random weights


@pytest.mark.parametrize("kind", ["soft-filter", "growing"])
def test_what_needs_to_know_how_much_goes_trains_for_every_compression(plan, kind):
    made = plan(soft={**L1, "criterion": "l2", "sparsify": {"kind": kind}})
    trainings = [back(made, task, 2).params.procedure for task in pruned(made, "soft")]
    assert [(each.sparsify.kind, each.compression) for each in trainings] == [
        (kind, 0.2),
        (kind, 0.4),
    ]


@pytest.mark.parametrize(("target", "told"), [("parameters", None), ("macs", "macs")])
def test_it_is_told_of_which_cost_that_much_goes(plan, target, told):
    made = plan(target=target, soft={**L1, "criterion": "l2", "sparsify": {"kind": "soft-filter"}})
    trainings = [back(made, task, 2).params.procedure for task in pruned(made, "soft")]
    assert {each.target for each in trainings} == {told}
    slim = plan(target=target, slim={**L1, "sparsify": {"kind": "slimming", "strength": 0.01}})
    (shared,) = {back(slim, task, 2).params.procedure for task in pruned(slim, "slim")}
    assert shared.target is None  # it serves all compressions


def test_it_may_start_from_the_models_own_weights_with_a_recipe_of_its_own(plan):
    sparsify = {"kind": "slimming", "start": "network", "train": {"epochs": 3}}
    made = plan(a={**L1, "sparsify": sparsify})
    task = back(made, pruned(made, "a")[0], 2)
    procedure = task.params.procedure
    assert (procedure.recipe.epochs, procedure.sparsify.start) == (3, "network")
    assert procedure.network == pruned(made, "dense")[0].key


def test_the_recipe_is_told_once(plan):
    """A training as the model is trained, and the same written out, are one task."""
    own = plan(a={**L1, "sparsify": {"kind": "slimming"}})
    written = plan(a={**L1, "sparsify": {"kind": "slimming", "train": {"epochs": 8}}})
    assert own.tasks.keys() == written.tasks.keys()


def test_methods_without_it_keep_their_keys(plan):
    alone, beside = plan(l1=L1), plan(l1=L1, sparse={**L1, "sparsify": {"kind": "group-lasso"}})
    assert alone.tasks.keys() < beside.tasks.keys()


def test_single_weights_go_from_the_models_own_network(plan):
    made = plan(thin={"kind": "unstructured"})
    (dense,) = pruned(made, "dense")
    assert [task.params.procedure for task in pruned(made, "thin")] == [
        WeightPruning(network=ArtifactKey(dense.key), scope="global", linear=False, compression=compression)
        for compression in (0.2, 0.4)
    ]


def test_a_lottery_ticket_is_pruned_rewound_and_trained_in_every_round(plan):
    made = plan(ticket={"kind": "unstructured", "rounds": 2, "rewind": {}})
    last = pruned(made, "ticket")[0]
    second, first = back(made, last).params.procedure, back(made, last, 3).params.procedure
    assert [(each.round, each.rounds) for each in (first, second)] == [(1, 2), (2, 2)]
    assert first.rewound == second.rewound
    start = made.tasks[first.rewound].params
    assert (start.procedure.recipe, start.seed) == (None, 0)
    assert first.network == pruned(made, "dense")[0].key
    for training in (last.params.procedure, made.tasks[second.network].params.procedure):
        assert (training.kind, training.recipe) == ("further", Recipe(epochs=8))


def test_rewound_to_a_later_epoch_it_trains_from_there(plan):
    made = plan(ticket={"kind": "unstructured", "rewind": {"epoch": 2}})
    last = pruned(made, "ticket")[0]
    assert last.params.procedure.recipe.begin == 2
    pruning = back(made, last).params.procedure
    assert (pruning.round, pruning.rounds) == (1, 1)
    assert made.tasks[pruning.rewound].params.procedure.recipe.until == 2


def test_rounds_without_rewinding_train_between_them_alone(plan):
    made = plan(thin={"kind": "unstructured", "rounds": 2})
    last = pruned(made, "thin")[0]
    assert (last.params.procedure.round, last.params.procedure.rewound) == (2, None)
    assert back(made, last).params.procedure.kind == "further"
    assert back(made, last, 2).params.procedure.network == pruned(made, "dense")[0].key
