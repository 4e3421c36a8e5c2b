import copy

import pytest
from faults import faults_of

from jobs.load import load_sweep

CHECKPOINT = {"network": "resnet", "weights": "w.safetensors"}
SLIM = {"kind": "criterion", "criterion": "batchnorm-scale", "sparsify": {"kind": "slimming"}}
THIN = {"kind": "unstructured"}
WEIGHTS = {"back": {"kind": "rewind", "what": "weights", "epoch": 0}}


@pytest.fixture
def faults(tiny_sweep, write_sweep):
    def faults(method, **changes):
        sweep = {**copy.deepcopy(tiny_sweep), **changes}
        sweep["methods"]["new"] = method
        return faults_of(write_sweep(sweep))

    return faults


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ({**SLIM, "sparsify": {"kind": "slim"}}, "sparsify", "kind 'slim' is unknown; did you mean 'slimming'?"),
        ({**SLIM, "sparsify": {}}, "sparsify", "has no kind; say kind: slimming, structure-selection"),
        ({**SLIM, "sparsify": {"kind": "slimming", "strength": 0}}, "sparsify.strength", "greater than 0"),
        ({**SLIM, "sparsify": {"kind": "slimming", "strenght": 1}}, "sparsify.strenght", "did you mean 'strength'?"),
        (
            {**SLIM, "sparsify": {"kind": "slimming", "train": {"epochs": 2, "ema": 0.9}}},
            "sparsify",
            "only the last weights are sparse; remove `ema` and `keep`",
        ),
        ({**SLIM, "sparsify": {"kind": "growing", "increase": 2}}, "sparsify", "increase 2.0 is above the ceiling 1.0"),
        ({**THIN, "scope": "all"}, "scope", "'global' or 'layer'"),
        ({**THIN, "rounds": 0}, "rounds", "greater than or equal to 1"),
    ],
)
def test_a_fault_says_where_it_is(faults, method, path, said):
    found = faults(method)
    assert found.keys() == {f"methods.new.{path}"}
    assert said in found[f"methods.new.{path}"]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (SLIM, "so `sparsify` has to say how to train"),
        ({**THIN, "rounds": 2}, "train as the model is trained; give it a `train` block"),
        ({**THIN, "rewind": {}}, "train as the model is trained; give it a `train` block"),
    ],
)
def test_a_model_from_a_checkpoint_cannot_be_trained_as_it_was(faults, method, said):
    (problem,) = faults(method, models={"net": CHECKPOINT}).values()
    assert problem.startswith("model net with method new: it comes from a checkpoint")
    assert said in problem


def test_with_a_recipe_or_without_training_a_checkpoint_will_do(tiny_sweep, write_sweep):
    sweep = {**copy.deepcopy(tiny_sweep), "models": {"net": CHECKPOINT}}
    sweep["methods"] = {"slim": copy.deepcopy(SLIM), "thin": THIN}
    sweep["methods"]["slim"]["sparsify"]["train"] = {"epochs": 2}
    assert load_sweep(write_sweep(sweep)).methods["slim"].sparsify.train.epochs == 2


def test_there_is_nothing_to_rewind_to_after_the_last_epoch(faults):
    (problem,) = faults({**THIN, "rewind": {"epoch": 99}}).values()
    assert "rewind to an earlier one than 99" in problem


@pytest.mark.parametrize(
    ("method", "said"), [(THIN, "rewinds single weights itself"), (SLIM, "a network that it trained itself")]
)
def test_the_protocol_that_rewinds_channels_is_not_for_what_has_other_weights(faults, method, said):
    (problem,) = faults({**method, "protocols": ["back"]}, protocols=WEIGHTS).values()
    assert said in problem


SOFT = {**SLIM, "sparsify": {"kind": "soft-filter"}}


@pytest.mark.parametrize(
    ("method", "target", "supported"),
    [(THIN, "macs", "parameters"), (SOFT, "latency", "parameters or macs")],
)
def test_a_target_that_a_method_does_not_count_is_refused(faults, method, target, supported):
    (problem,) = faults(method, target=target).values()
    assert problem == f"method new supports target: {supported} only, not {target}; set another one"
