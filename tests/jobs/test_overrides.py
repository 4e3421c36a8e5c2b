import pytest
from faults import faults_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep


def test_overrides_change_single_values(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep(tiny_sweep), ["seeds=[0,1]", "methods.l1.compressions=[0.3]", "name=other"])
    assert (spec.seeds, spec.compressions_of("l1"), spec.name) == ((0, 1), (0.3,), "other")


def test_an_override_may_add_a_method(tiny_sweep, write_sweep):
    spec = load_sweep(write_sweep(tiny_sweep), ["methods.integral={kind: integral}"])
    assert spec.methods["integral"].kind == "integral"


@pytest.mark.parametrize(
    ("override", "path", "said"),
    [
        ("compressions=[40]", "compressions[0]", "40 reads like a percentage; give the fraction that is removed: 0.4"),
        ("seeds=3", "seeds", "3 is not a list; write [0, 1, 2]"),
        ("models.net.train.epochs=few", "models.net.train.epochs", "'few' is not valid; give a whole number"),
        ("models.net.train={epochs: few}", "models.net.train.epochs", "'few' is not valid; give a whole number"),
    ],
)
def test_a_fault_of_an_override_names_it(tiny_sweep, write_sweep, override, path, said):
    problem = faults_of(write_sweep(tiny_sweep), override)[path]
    assert problem.startswith(said)
    assert problem.endswith(f"(from the override {override})")


def test_a_fault_of_the_file_names_no_override(tiny_sweep, write_sweep):
    tiny_sweep["seeds"] = "no"
    assert faults_of(write_sweep(tiny_sweep), "name=other")["seeds"] == "'no' is not a list; write ['no']"


def test_merged_keys_may_be_overridden(tmp_path):
    text = """
name: merged
data: {dataset: digits}
models:
  a: &a {network: plain, train: {epochs: 2}}
  b: {<<: *a, train: {epochs: 3}}
compressions: [0.2]
methods: {l1: {kind: criterion, criterion: l1}}
"""
    (tmp_path / "sweep.yaml").write_text(text)
    spec = load_sweep(tmp_path / "sweep.yaml")
    assert [spec.training_of(model).epochs for model in spec.models] == [2, 3]


def test_an_override_of_what_holds_no_keys_is_refused(tiny_sweep, write_sweep):
    assert "holds a value" in faults_of(write_sweep(tiny_sweep), "compressions.first=1")["compressions.first"]


def test_an_override_that_is_not_yaml_is_refused(tiny_sweep, write_sweep):
    assert "cannot be read" in faults_of(write_sweep(tiny_sweep), "seeds=[1")["seeds"]


def test_overrides_may_stand_in_a_file(tiny_sweep, write_sweep, tmp_path):
    (tmp_path / "small.yaml").write_text("seeds: [7]\nmodels.net.train.momentum: 0.5\n")
    spec = load_sweep(write_sweep(tiny_sweep), [f"@{tmp_path}/small.yaml", "seeds=[8]"])
    assert spec.seeds == (8,)  # the later one wins
    assert spec.models["net"].train.momentum == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("- seeds=[1]", "holds no overrides"),
        ("seeds: [", "small.yaml"),
        ("name.a: 1", "holds a value"),
    ],
)
def test_a_file_of_overrides_that_will_not_do_is_named(tiny_sweep, write_sweep, tmp_path, text, words):
    if text is not None:
        (tmp_path / "small.yaml").write_text(text)
    with pytest.raises(InvalidFileError, match=words):
        load_sweep(write_sweep(tiny_sweep), [f"@{tmp_path}/small.yaml"])
