"""A design that one sweep found, printed for another one."""

import csv
import shutil

import pytest
import torch
import yaml

from jobs.errors import BadInputError
from orchestrator.commands.reporting import report, template
from orchestrator.commands.running import run

GLOBAL = {"kind": "criterion", "criterion": "l1", "allocation": {"kind": "global"}}


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """A place for the store of the sweep, once a test has run it."""
    return tmp_path_factory.mktemp("computed") / "store"


@pytest.fixture
def found(computed, tiny_sweep, write_sweep, tmp_path, database):
    """A sweep that has run: one threshold for all groups of two models, two seeds."""
    torch.set_num_threads(1)
    tiny_sweep["seeds"] = [0, 1]
    tiny_sweep["methods"] = {"dense": {"kind": "dense"}, "found": GLOBAL}
    tiny_sweep["models"]["other"] = {
        "network": "plain",
        "arguments": {"widths": [6], "in_channels": 1},
        "train": {"epochs": 1},
    }
    path = write_sweep(tiny_sweep)
    if computed.exists():
        shutil.copytree(computed, tmp_path / "store")
    else:
        assert run(str(path), [], backend="inline") == 0
        shutil.copytree(tmp_path / "store", computed)
    return path


def kept(path, tmp_path, method):
    """Seed -> group -> fraction, at the compression 0.4 of the model `net`."""
    report(str(path), storage="", out=str(tmp_path / "report"))
    found: dict[str, dict[str, float]] = {}
    for row in csv.DictReader((tmp_path / "report" / "kept.csv").open()):
        if (row["model"], row["method"], row["asked"]) == ("net", method, "0.4"):
            found.setdefault(row["seed"], {})[row["name"]] = int(row["left"]) / int(row["full"])
    return found


@pytest.mark.slow
def test_a_template_is_the_mean_per_stage_and_another_sweep_takes_it(found, tiny_sweep, write_sweep, tmp_path, capsys):
    capsys.readouterr()
    template(str(found), "found", storage="", model="net", compression=None)
    allocation = yaml.safe_load(capsys.readouterr().out)["allocation"]
    designs = kept(found, tmp_path, "found")
    assert designs.keys() == {"0", "1"}
    # The first stage computes at 8 x 8 places: the stem's stream and the inside of the first block.
    stages = [["conv1", "layer1.0.conv1"], ["layer2.0.conv1", "layer2.0.conv2"]]
    assert all({name for stage in stages for name in stage} == each.keys() for each in designs.values())
    means = [sum(sum(each[name] for name in stage) / len(stage) for each in designs.values()) / 2 for stage in stages]
    assert allocation["kind"] == "template"
    assert allocation["fractions"] == pytest.approx(means, abs=1e-4)

    tiny_sweep["methods"] = {"led": {**GLOBAL, "allocation": allocation}}
    tiny_sweep["seeds"], tiny_sweep["compressions"] = [0], [0.4]
    other = write_sweep({**tiny_sweep, "name": "other"}, "other.yaml")
    assert run(str(other), [], backend="inline") == 0
    (led,) = kept(other, tmp_path, "led").values()
    by_stage = [sum(led[name] for name in stage) / len(stage) for stage in stages]
    assert by_stage == pytest.approx(means, abs=0.15)  # of widths of 8 and 12


@pytest.mark.slow
def test_what_has_no_design_says_what_there_is(found):
    def refused(method, **more):
        with pytest.raises(BadInputError) as caught:
            template(str(found), method, storage="", **{"model": None, "compression": None, **more})
        return str(caught.value)

    assert "did you mean 'found'?" in refused("fund")
    assert "measured on net, other; choose one of them with --model" in refused("found")
    assert "model 'nets': did you mean 'net'?" in refused("found", model="nets")
    assert "at compression 0.3" in refused("found", model="net", compression=0.3)
    assert "has removed no channels" in refused("dense", model="net")
