import copy
import json

import pytest
from faults import faults_of

from jobs.load import load_sweep


@pytest.fixture
def sweep(tiny_sweep, write_sweep):
    return write_sweep(copy.deepcopy(tiny_sweep))


@pytest.fixture
def load(sweep):
    return lambda *overrides: load_sweep(sweep, overrides)


@pytest.fixture
def fault(sweep):
    def fault(*overrides):
        ((path, problem),) = faults_of(sweep, *overrides).items()
        return f"{path}: {problem}"

    return fault


def test_a_number_is_one_for_all_layers(load):
    prune = load("prune.multiple=8", "prune.floor=0.25").prune
    assert (prune.multiple, prune.floor, prune.common_multiple) == ({"*": 8}, {"*": 0.25}, 8)


def test_a_multiple_of_some_layers_is_not_common(load):
    assert load("prune.multiple={head: 8}").prune.common_multiple is None
    assert load().prune.common_multiple == 1


def test_the_model_overrides_the_sweep_and_the_method_both(load):
    spec = load(
        "prune={keep: [a], multiple: 8, floor: {a: 2, b: 0.5}}",
        "models.net.prune={keep: [b], floor: {a: 3}}",
        "methods.l1.prune={multiple: 4}",
    )
    found = spec.prune_of("net", "l1")
    assert (found.keep, found.multiple) == (("b",), {"*": 4})
    assert list(found.floor.items()) == [("b", 0.5), ("a", 3)]  # the narrower one is last, and the last one counts
    assert spec.prune_of("net", "dense").multiple == {"*": 8}


def test_an_empty_list_keeps_nothing_of_what_the_sweep_keeps(load):
    assert load("prune.keep=[a]", "methods.l1.prune.keep=[]").prune_of("net", "l1").keep == ()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("prune.floor=1.5", "prune.floor.*: 1.5 is neither a fraction below 1 nor a whole number of channels"),
        ("prune.floor={a: few}", "prune.floor.a: 'few' is no number; give a whole number or a fraction"),
        ("prune.floor={a: -1}", "prune.floor.a: -1 is neither"),
        ("prune.ratios={a: 1.0}", "prune.ratios.a: 1.0 is not valid: input should be less than 1"),
        ("prune.multiple={a: 0}", "prune.multiple.a: 0 is not valid"),
        ("models.net.prune.kep=[a]", "models.net.prune.kep: unknown key; did you mean 'keep'?"),
        ("methods.l1.rounds=3", "3 rounds need training between them; give a `train` block"),
        ("methods.l1.train={epochs: 1}", "`train` and `schedule` are for several rounds"),
        ("methods.l1.schedule=linear", "`train` and `schedule` are for several rounds"),
    ],
)
def test_faults(fault, override, words):
    assert words in fault(override)


def test_a_floor_is_said_once(fault, load):
    written = "methods.l1.allocation={kind: global, floor: 0.2}"
    assert "method l1 has a floor in its allocation, and one in `prune`" in fault("prune.floor=0.3", written)
    assert load("prune.floor=0.3", "methods.l1.allocation=global").prune.floor == {"*": 0.3}


def test_predefined_widths_are_reached_at_once(fault):
    predefined = "methods.l1.allocation={kind: predefined, widths: {conv1: 3}, compression: 0.2}"
    assert "reached at once" in fault(predefined, "methods.l1.rounds=2", "methods.l1.train={epochs: 1}")


def test_weights_cannot_be_rewound_behind_rounds(fault):
    rounds = ("methods.l1.rounds=2", "methods.l1.train={epochs: 1}", "methods.l1.protocols=[back]")
    assert "trains between its rounds" in fault("protocols.back={kind: rewind, what: weights, epoch: 0}", *rounds)


def test_training_between_rounds_is_fine_tuning_of_the_objective(load):
    rounds = ("methods.l1.rounds=2", "methods.l1.train={epochs: 3}")
    train = load(*rounds).methods["l1"].train
    assert (train.epochs, train.learning_rate, train.schedule) == (3, 1e-3, "constant")


def test_a_sweep_is_the_same_when_its_record_is_read_again(load):
    rounds = ("methods.l1.rounds=2", "methods.l1.train={epochs: 1}")
    for overrides in ((), ("prune={floor: {b: 0.5, a: 3}}", "methods.l1.allocation=global", *rounds)):
        spec = load(*overrides)
        again = type(spec).model_validate_json(json.dumps(spec.model_dump(mode="json"), sort_keys=True))
        assert again == spec
        assert list(again.prune.floor or ()) == list(spec.prune.floor or ())
