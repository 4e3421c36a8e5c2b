import json

import pytest

from jobs import names
from jobs.load import load_sweep
from jobs.spec.needs import DataNeed, data_needed
from jobs.spec.sweep import SweepSpec
from workers.observations import OBSERVATIONS

REFIT = {"kind": "repair"}
CASES = [
    ({"kind": "dense"}, None, "none"),
    ({"kind": "criterion", "criterion": "l1"}, None, "none"),
    ({"kind": "criterion", "criterion": "l1", "allocation": "least-error"}, None, "none"),
    ({"kind": "criterion", "criterion": "l1", "allocation": "sensitivity"}, None, "labelled"),
    ({"kind": "criterion", "criterion": "hrank"}, None, "unlabelled"),
    ({"kind": "criterion", "criterion": "taylor"}, None, "labelled"),
    ({"kind": "criterion", "criterion": "ranked:entry", "observation": "ranked:point"}, None, "labelled"),
    ({"kind": "criterion", "criterion": "l1", "rounds": 2, "train": {"epochs": 1}}, None, "training"),
    ({"kind": "reconstruction", "how": "thinet"}, None, "unlabelled"),
    ({"kind": "fold"}, None, "none"),
    ({"kind": "fold", "repair": "data"}, None, "unlabelled"),
    ({"kind": "integral"}, None, "none"),
    ({"kind": "integral", "repair": "statistics"}, None, "unlabelled"),
    ({"kind": "integral", "ordering": {"choice": "output"}}, None, "unlabelled"),
    ({"kind": "integral", "tune": {"target": "dense"}}, None, "unlabelled"),
    ({"kind": "integral", "tune": {}}, None, "labelled"),
    ({"kind": "integral", "train": {"epochs": 1}}, None, "training"),
    ({"kind": "unstructured"}, None, "none"),
    ({"kind": "unstructured", "rounds": 2}, None, "training"),
    ({"kind": "fold"}, {"kind": "recalibrate"}, "unlabelled"),
    ({"kind": "criterion", "criterion": "taylor"}, REFIT, "labelled"),
    ({"kind": "fold"}, {"kind": "fine-tune", "train": {"epochs": 1}}, "training"),
    ({"kind": "fold"}, {"kind": "scratch"}, "training"),
    ({"kind": "fold"}, {"kind": "own", "change": "ranked:sweep", "needs": ["images", "dense"]}, "training"),
    ({"kind": "fold"}, {"kind": "own", "change": "ranked:sweep", "needs": ["labels"]}, "training"),
    ({"kind": "fold"}, {"kind": "own", "change": "ranked:sweep", "needs": ["dense"]}, "none"),
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> SweepSpec:
    """A sweep with the methods of all cases, named by their numbers."""
    methods, protocols = {}, {}
    for number, (method, protocol, _) in enumerate(CASES):
        methods[f"m{number}"] = method
        if protocol:
            protocols[f"p{number}"] = protocol
            kept = {"batchnorm": "keep"} if protocol["kind"] == "recalibrate" else {}
            methods[f"m{number}"] = {**method, **kept, "protocols": [f"p{number}"]}
    model = {"network": "resnet", "train": {"epochs": 1}}
    sweep = {
        "name": "needs",
        "controls": False,
        "data": {"dataset": "digits"},
        "compressions": [0.2],
        "models": {"net": model},
        "methods": methods,
        "protocols": protocols,
    }
    path = tmp_path_factory.mktemp("needs") / "sweep.yaml"
    path.write_text(json.dumps(sweep))
    return load_sweep(path)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_method_needs_what_its_kind_its_settings_and_its_protocol_do(spec, number):
    _, protocol, need = CASES[number]
    assert data_needed(spec, f"m{number}", f"p{number}" if protocol else "none") == DataNeed(need)


def test_one_that_follows_another_needs_what_that_does(tiny_sweep, write_sweep):
    tiny_sweep["methods"] = {
        "first": {"kind": "criterion", "criterion": "taylor", "allocation": {"kind": "global"}},
        "second": {"kind": "fold", "allocation": {"kind": "guided", "method": "first"}},
    }
    assert data_needed(load_sweep(write_sweep(tiny_sweep)), "second") == DataNeed.LABELLED


def test_a_protocol_needs_what_those_before_it_do(tiny_sweep, write_sweep):
    tiny_sweep["methods"] = {"fold": {"kind": "fold", "protocols": ["norms"]}}
    tiny_sweep["protocols"] = {"norms": {"kind": "recalibrate", "after": "tuned"}, "tuned": {"kind": "fine-tune"}}
    assert data_needed(load_sweep(write_sweep(tiny_sweep)), "fold", "norms") == DataNeed.TRAINING


def test_what_observations_need_is_as_they_declare_it():
    assert dict(names.OBSERVATION_NEEDS) == {name: each.needs for name, each in OBSERVATIONS.items()}
