import copy
import json
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, back, curve_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.outcome import Succeeded
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.pruning import ChannelRewinding
from jobs.stages.table import StageKind
from jobs.stages.training import FurtherTraining, ScratchBudget, ScratchTraining
from orchestrator.planning import plan_sweep
from orchestrator.store import open_store
from workers.attempt.entry import run_task

CHECKPOINT = "models.net={network: resnet, weights: w.safetensors}"
PROTOCOLS = {
    "tuned": {"kind": "fine-tune", "train": {"epochs": 3}},
    "e": {"kind": "scratch"},
    "b": {"kind": "scratch", "budget": "macs", "cap": 2.0},
    "b-all": {"kind": "scratch", "budget": "macs-and-fine-tuning", "fine_tuning_epochs": 3},
    "rate": {"kind": "rewind", "what": "learning-rate", "epoch": 6},
    "weights": {"kind": "rewind", "what": "weights", "epoch": 0.25},
    "init": {"kind": "rewind", "what": "weights", "epoch": 0},
    "refit": {"kind": "repair", "images": 64},
    "refit-tuned": {"kind": "fine-tune", "after": "refit", "train": {"epochs": 3}},
    "refit-tuned-norms": {"kind": "recalibrate", "after": "refit-tuned"},
}
METHODS = {
    "dense": {"kind": "dense"},
    "l1": {"kind": "criterion", "criterion": "l1"},
    "integral": {"kind": "integral"},
}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    """The plan of the tiny sweep, its model trained for eight epochs, one method with some protocols."""

    def make(*protocols, method="l1", overrides=(), environment=ENVIRONMENT):
        sweep = {**copy.deepcopy(tiny_sweep), "protocols": PROTOCOLS, "compressions": [0.4]}
        sweep["models"]["net"]["train"] = {"epochs": 8}
        sweep["methods"] = {"dense": {"kind": "dense"}, method: {**METHODS[method], "protocols": list(protocols)}}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), environment)

    return make


def evaluated(plan, protocol, method="l1"):
    """The task that leaves the network of a curve's point."""
    return back(plan, plan.tasks[curve_of(plan, method, protocol).points[0].key])


def test_fine_tuning_reads_the_pruned_network(plan):
    made = plan("none", "tuned")
    task = evaluated(made, "tuned")
    procedure = task.params.procedure
    assert isinstance(procedure, FurtherTraining)
    assert (procedure.recipe.epochs, procedure.recipe.begin, procedure.recipe.until) == (3, 0, None)
    assert task.inputs == {"procedure.network": evaluated(made, "none").key}


def test_one_protocol_comes_after_another_whose_network_is_made_once(plan):
    made = plan("none", "refit", "refit-tuned", "refit-tuned-norms")
    refit, tuned = (evaluated(made, name) for name in ("refit", "refit-tuned"))
    assert refit.inputs["network"] == evaluated(made, "none").key
    assert tuned.inputs == {"procedure.network": refit.key}
    assert evaluated(made, "refit-tuned-norms").inputs == {"network": tuned.key}
    assert len(made.tasks) == len(plan("none", "refit", "refit-tuned").tasks) + 2  # itself and its evaluation


def test_scratch_trains_as_the_model_was_trained(plan):
    made = plan("none", "e", "b", "b-all")
    pruned, model = evaluated(made, "none").key, evaluated(made, "none", method="dense")
    for name, budget in {
        "e": None,
        "b": ScratchBudget(cap=2.0),
        "b-all": ScratchBudget(fine_tuning_epochs=3),
    }.items():
        assert evaluated(made, name).params.procedure == ScratchTraining(
            network=ArtifactKey(pruned),
            dense=ArtifactKey(model.key),
            recipe=model.params.procedure.recipe,
            budget=budget,
        )


def test_scratch_may_say_how_it_trains(plan):
    override = "protocols.e.train={settings: cifar_rethinking, epochs: 5}"
    made = plan("e", overrides=(override, CHECKPOINT), environment=LOADED)
    recipe = evaluated(made, "e").params.procedure.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.augment) == (5, 64, "crop-flip")


LOADED = replace(ENVIRONMENT, weights={"net": "f"})


def test_the_learning_rate_is_rewound_on_the_pruned_weights(plan):
    made = plan("none", "rate")
    task, model = evaluated(made, "rate"), evaluated(made, "none", method="dense")
    recipe = Recipe.of(model.params.procedure.recipe, begin=6)
    assert task.params.procedure == FurtherTraining(network=ArtifactKey(evaluated(made, "none").key), recipe=recipe)


def test_weights_are_rewound_to_those_of_a_training_that_ends_early(plan):
    made = plan("none", "weights")
    task, model = evaluated(made, "weights"), evaluated(made, "none", method="dense")
    rewound, pruned = back(made, task), evaluated(made, "none")
    early = back(made, rewound)
    assert task.params.procedure.recipe.begin == 2  # a quarter of eight epochs
    assert rewound.params.procedure == ChannelRewinding(
        network=ArtifactKey(early.key),
        channels=pruned.params.procedure.network,
        pruned=ArtifactKey(pruned.key),
    )
    own = model.params.procedure
    assert early.params.procedure == replace(own, recipe=Recipe.of(own.recipe, until=2))


def test_at_epoch_0_they_are_the_initial_ones_and_the_whole_schedule_follows(plan):
    made = plan("init")
    task = evaluated(made, "init")
    assert back(made, task, 2).params.procedure.recipe is None
    assert task.params.procedure.recipe.begin == 0


def test_the_dense_network_is_its_own_control(plan):
    made = plan("none", "tuned", "b", method="dense")
    dense = evaluated(made, "none", method="dense").key
    assert evaluated(made, "tuned", method="dense").inputs == {"procedure.network": dense}
    assert evaluated(made, "b", method="dense").inputs == {"procedure.network": dense, "procedure.dense": dense}


def test_ones_own_counts_by_its_source_and_reads_what_it_needs(plan):
    own = {"kind": "own", "change": "jobs.mine:change", "arguments": {"rate": 0.1}}
    sources = replace(ENVIRONMENT, sources={"jobs.mine:change": "1"})
    alone = evaluated(plan("own", overrides=[f"protocols.own={json.dumps(own)}"], environment=sources), "own")
    assert alone.stage is StageKind.APPLY
    assert (alone.params.protocol, alone.params.source) == ("jobs.mine:change", "1")
    assert (alone.params.arguments, alone.params.data) == ({"rate": 0.1}, None)
    override = f"protocols.own={json.dumps({**own, 'needs': ['labels', 'dense']})}"
    made = plan("none", "own", overrides=[override], environment=sources)
    task = evaluated(made, "own")
    assert (task.params.needs, task.params.data.fingerprint) == (("dense", "labels"), "d")
    dense = evaluated(made, "none", method="dense").key
    assert task.inputs == {"network": evaluated(made, "none").key, "dense": dense}


@pytest.mark.slow
def test_the_stages_understand_what_is_planned(plan, tmp_path):
    small = ("models.net.train.epochs=2", "models.net.arguments.widths=[4]", "protocols.tuned.train.epochs=1")
    rewound = "protocols.weights.epoch=0.5"
    made = plan("b-all", "tuned", "weights", "init", "rate", overrides=(*small, rewound, "protocols.rate.epoch=1"))
    store = open_store(tmp_path / "store")
    outcomes = {key: run_task(task, store) for key, task in made.tasks.items()}
    assert all(isinstance(outcome, Succeeded) for outcome in outcomes.values()), outcomes
    spent = {
        curve.protocol: outcomes[curve.points[0].key].measurements["training_epochs"]
        for curve in made.curves
        if curve.method == "l1"
    }
    # Of two epochs, weights and learning rate go back to the first; scratch gets three for fine-tuning on top.
    assert (spent["tuned"], spent["weights"], spent["rate"], spent["init"]) == (1, 1, 1, 2)
    assert spent["b-all"] > 2 + 3


def test_protocols_leave_all_other_tasks_as_they_are(plan):
    assert plan("none").tasks.keys() < plan("none", *PROTOCOLS).tasks.keys()


@pytest.mark.parametrize(
    ("protocol", "method", "override", "words"),
    [
        ("weights", "integral", None, "method integral with protocol 'weights': it has no weights of the model's"),
        ("rate", "integral", None, "method integral with protocol 'rate'"),
        ("rate", "dense", None, "method dense with protocol 'rate': it removes nothing"),
        (
            "rate",
            "l1",
            CHECKPOINT,
            "model net with protocol 'rate': it comes from a checkpoint, and its training cannot",
        ),
        ("e", "l1", CHECKPOINT, "model net with protocol 'e': it comes from a checkpoint, so the protocol has to say"),
        ("rate", "l1", "protocols.rate.epoch=8", "is trained for 8 epochs; rewind to an earlier one than 8"),
        ("weights", "l1", "protocols.weights.epoch=0.99", "is trained for 8 epochs"),
        ("refit-tuned", "dense", None, r"protocol 'refit' \(before 'refit-tuned'\): it takes no channels away"),
        ("refit-tuned", "l1", "protocols.refit-tuned.after=refits", "comes after 'refits', which is unknown; did you"),
        ("tuned", "l1", "protocols.tuned.after=tuned", r"comes after itself \(tuned after tuned\)"),
        (
            "refit-tuned",
            "l1",
            "protocols.refit-tuned.after=refit-tuned-norms",
            r"comes after itself \(refit-tuned after refit-tuned-norms after refit-tuned\)",
        ),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(plan, protocol, method, override, words):
    with pytest.raises(InvalidFileError, match=words):
        plan(protocol, method=method, overrides=[override] if override else [])
