import copy

import pytest
from faults import faults_of

from jobs.load import load_sweep
from jobs.spec.allocation import OwnAllocation


@pytest.fixture
def sweep(tiny_sweep, write_sweep):
    def sweep(allocation, method=None, others=None):
        sweep = copy.deepcopy(tiny_sweep)
        sweep["methods"] = {
            "m": {"kind": "criterion", "criterion": "l1", **(method or {}), "allocation": allocation},
            "dense": {"kind": "dense"},
            **(others or {}),
        }
        return write_sweep(sweep)

    return sweep


@pytest.fixture
def load(sweep):
    return lambda allocation, *overrides, **further: load_sweep(sweep(allocation, **further), overrides)


@pytest.fixture
def faults(sweep):
    return lambda allocation, *overrides, **further: faults_of(sweep(allocation, **further), *overrides)


@pytest.mark.parametrize("kind", ["uniform", "least-error", "global", "isomorphic", "sensitivity", "best-score"])
def test_a_plain_name_is_the_record_with_its_defaults(load, kind):
    assert load(kind).allocation_of("m") == load({"kind": kind}).allocation_of("m")


def test_an_import_path_is_one_of_ones_own(load):
    assert load("jobs.mine:choose").allocation_of("m") == OwnAllocation(kind="own", choose="jobs.mine:choose")


def test_dense_has_none(load):
    assert load("uniform").allocation_of("dense") is None


MALFORMED = [
    ("unifrm", "methods.m.allocation", "kind 'unifrm' is unknown; did you mean 'uniform'?"),
    ("template", "methods.m.allocation", "template needs settings; write a record, {kind: template, ...}"),
    (3, "methods.m.allocation", "is no mapping"),
    ({"floor": 0.1}, "methods.m.allocation", "has no kind; say kind: best-score, global"),
    ({"kind": "global", "flor": 0.1}, "methods.m.allocation.flor", "did you mean 'floor'?"),
    ({"kind": "global", "floor": 1.0}, "methods.m.allocation.floor", "less than 1"),
    ({"kind": "global", "normalize": "all"}, "methods.m.allocation.normalize", "'none' or 'group'"),
    ({"kind": "best-score", "macs": 0.0}, "methods.m.allocation.macs", "greater than 0"),
    ({"kind": "template"}, "methods.m.allocation.fractions", "is missing"),
    ({"kind": "template", "fractions": []}, "methods.m.allocation.fractions", "is empty"),
    ({"kind": "predefined"}, "methods.m.allocation", "either `name` or `widths`"),
    ({"kind": "predefined", "name": "resnet56-c"}, "methods.m.allocation.name", "'resnet56-a', 'resnet56-b'"),
    ({"kind": "predefined", "widths": {"conv1": 3}}, "methods.m.allocation", "go together"),
    ({"kind": "own", "choose": "no_such_package:f"}, "methods.m.allocation.choose", "no package"),
    ({"kind": "guided", "method": "l3"}, "", "guided by 'l3'; known: dense, m"),
    ({"kind": "guided", "method": "dense"}, "", "chooses no widths itself"),
    ({"kind": "guided", "method": "m"}, "", "chooses no widths itself"),
    ({"kind": "guided", "method": "m", "model": "nett"}, "", "did you mean 'net'?"),
]


@pytest.mark.parametrize(("allocation", "path", "words"), MALFORMED, ids=str)
def test_faults(faults, allocation, path, words):
    found = faults(allocation)
    assert words in found[path], found


@pytest.mark.parametrize("kind", ["global", "isomorphic", "best-score"])
def test_integral_methods_have_no_scores_to_go_by(faults, kind):
    found = faults(kind, others={"i": {"kind": "integral", "allocation": kind}})
    assert "needs scores, and integral methods score no channels" in found["methods.i"]


def test_written_widths_have_one_compression(load, faults):
    named = {"kind": "predefined", "name": "resnet56-a"}
    assert load(named).compressions_of("m") == (0.09,)
    own = {"kind": "predefined", "widths": {"conv1": 3}, "compression": 0.2}
    assert load(own).compressions_of("m") == (0.2,)
    assert "remove `compressions`" in faults(named, method={"compressions": [0.1]})["methods.m"]
    assert "set target: parameters" in faults(named, "target=macs")[""]


def test_the_control_is_asked_for_the_compressions_of_written_widths(tiny_sweep, write_sweep):
    sweep = copy.deepcopy(tiny_sweep)
    del sweep["compressions"], sweep["controls"]
    named = {"kind": "predefined", "name": "vgg16-a"}
    sweep["methods"] = {"m": {"kind": "criterion", "criterion": "l1", "allocation": named}}
    assert load_sweep(write_sweep(sweep)).compressions_of("random") == (0.64,)


def test_what_an_allocation_looks_at(load):
    assert load("best-score").allocation_of("m").wants == ("scores",)
    assert load({"kind": "best-score", "latency": 0.5}).allocation_of("m").wants == ("scores", "latency")
    own = {"kind": "own", "choose": "jobs.mine:choose", "needs": ["losses"]}
    assert load(own).allocation_of("m").wants == ("losses",)
