import json
from dataclasses import replace

import pytest

from jobs.errors import BadInputError
from jobs.load import load_sweep
from orchestrator.commands.grouping import check_layers, groups
from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect
from workers import inspection
from workers.channels import RefusedGroup
from workers.inputs import InputSpec
from workers.network import NetworkRecipe


@pytest.fixture(scope="module")
def inspected():
    """The network of the tiny sweep, built and traced."""
    arguments = {"widths": [8, 12], "in_channels": 1}
    inputs = InputSpec.of_shape((1, 8, 8))
    return inspection.inspect(NetworkRecipe(network="resnet", arguments=arguments, inputs=inputs))


@pytest.fixture
def traced_before(monkeypatch, inspected):
    """Spares the test the trace."""
    monkeypatch.setattr(inspection, "inspect", lambda recipe: inspected)


@pytest.fixture
def show(tiny_sweep, write_sweep, capsys):
    def show(*overrides, model=None, method=None, as_json=False):
        groups(str(write_sweep(tiny_sweep)), model, overrides, method=method, as_json=as_json)
        return capsys.readouterr().out

    return show


def test_it_shows_groups_and_what_the_sweep_says_of_them(show):
    text = show("prune={keep: [conv1], ratios: {layer2.0.conv1: 0.25}, multiple: 4, floor: {layer2: 5}}")
    assert text.startswith("net: 3,730 parameters, 114,552 multiply-accumulates on an input of 1 x 8 x 8; 99.7% of the")
    rows = {line.split()[0]: line for line in text.splitlines() if "conv" in line}
    assert "conv1, layer1.0.conv2" in rows["conv1"]
    assert rows["conv1"].rstrip().endswith("stays whole (keep: conv1)")
    assert rows["layer1.0.conv1"].rstrip().endswith("  multiples of 4")
    assert rows["layer2.0.conv1"].rstrip().endswith("8 stay (ratio 0.25)")
    assert rows["layer2.0.conv2"].rstrip().endswith("at least 8, multiples of 4")


@pytest.mark.usefixtures("traced_before")
def test_json_has_the_same_and_the_method_counts_where_it_is_named(show):
    override = "methods.l1.prune.only=[layer2]"
    (plain, limited) = (
        json.loads(show(override, method=method, as_json=True))["net"]["groups"] for method in (None, "l1")
    )
    assert [group["width"] for group in plain] == [8, 8, 12, 12]
    assert all("prune" not in group for group in plain)
    assert [group["prune"]["why"] for group in limited] == ["not in only", "not in only", "", ""]
    assert 0 < plain[0]["macs"] < 1


def test_what_is_refused_is_shown(show, monkeypatch, inspected):
    refusal = RefusedGroup(layers=("head.a",), operator="aten.sort", where="head", reason="channels are compared")
    found, channel_map = inspected
    monkeypatch.setattr(inspection, "inspect", lambda recipe: (replace(found, refused=(refusal,)), channel_map))
    assert "stay whole" in show()
    assert json.loads(show(as_json=True))["net"]["refused"][0]["reason"] == "channels are compared"


def test_what_cannot_be_merged_is_shown_and_limits_the_methods_that_merge(show, monkeypatch, inspected):
    found, channel_map = inspected
    first, *others = (
        replace(each, unmixable="attention") if not i else each for i, each in enumerate(channel_map.groups)
    )
    marked = replace(found, groups=[replace(found.groups[0], group=first), *found.groups[1:]])
    monkeypatch.setattr(inspection, "inspect", lambda recipe: (marked, replace(channel_map, groups=(first, *others))))
    assert "conv1 stays whole in integral networks and in folding: attention" in show()
    methods = "methods={removed: {kind: criterion, criterion: l1}, merged: {kind: fold}, sampled: {kind: integral}}"
    for method, whole in (("removed", False), ("merged", True), ("sampled", True)):
        group, *_ = json.loads(show(methods, method=method, as_json=True))["net"]["groups"]
        assert group["unmixable"] == "attention"
        assert group.get("prune", {}).get("why") == ("attention" if whole else None)


@pytest.mark.usefixtures("traced_before")
def test_a_pattern_that_matches_nothing_is_an_error_after_the_table(tiny_sweep, write_sweep, capsys):
    with pytest.raises(BadInputError, match=r"model net: prune.keep: 'layr1' matches nothing .*nearest: layer1"):
        groups(str(write_sweep(tiny_sweep)), None, ["prune.keep=[layr1]"], method=None, as_json=False)
    assert "layer1.0.conv1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"model": "nett"}, "'nett': did you mean 'net'"), ({"method": "l3"}, "'l3': known: dense, l1")],
)
def test_unknown_names(show, asked, words):
    with pytest.raises(BadInputError, match=words):
        show(**asked)


def test_a_network_that_cannot_be_built_says_why(show):
    with pytest.raises(BadInputError, match="resnet"):
        show("models.net.arguments={width: 3}")


def test_groups_of_predefined_widths_are_checked_before_a_run(tiny_sweep, write_sweep):
    widths = {"kind": "predefined", "widths": {"conv1": 4, "nope": 3}, "compression": 0.4}
    methods = {"given": {"kind": "criterion", "criterion": "l1", "allocation": widths}}
    with pytest.raises(BadInputError, match=r"methods.given.allocation.widths: 'nope' matches no layer"):
        check_layers(load_sweep(write_sweep({**tiny_sweep, "methods": methods})))
    widths["widths"] = {"conv1": 400}
    with pytest.raises(BadInputError, match=r"allocation.widths: 'conv1' has \d+ channels, and 400 should stay; give"):
        check_layers(load_sweep(write_sweep({**tiny_sweep, "methods": methods})))


def test_patterns_are_checked_before_a_run(tiny_sweep, write_sweep):
    path = write_sweep(tiny_sweep)
    check_layers(load_sweep(path, ["prune.keep=[conv1]"]))
    check_layers(load_sweep(path, ["prune.keep=[conv9]", "models.net.arguments={width: 3}"]))  # left to its tasks
    with pytest.raises(BadInputError, match=r"model net: prune.keep: 'conv9' matches no layer; nearest: conv1"):
        run(str(path), ["prune.keep=[conv9]"], backend="inline")


def test_without_patterns_no_network_is_built(tiny_sweep, write_sweep, monkeypatch):
    monkeypatch.delattr("workers.inspection.layer_faults")
    check_layers(load_sweep(write_sweep(tiny_sweep), ["prune={multiple: 8, floor: 0.1}"]))


def test_a_sweep_in_rounds_runs_and_its_curve_is_of_the_dense_network(tiny_sweep, write_sweep, database):
    rounds = {"rounds": 2, "train": {"epochs": 1, "batch_size": 128, "augment": "none"}}
    methods = {"gradual": {"kind": "criterion", "criterion": "l1", **rounds, "prune": {"keep": ["conv1"]}}}
    changes = {"methods": methods, "compressions": [0.4], "measure": {"reload": False}}
    path = write_sweep({**tiny_sweep, **changes})
    assert run(str(path), [], backend="inline") == 0
    (curve,) = collect(*find_record(str(path), ""))
    kept = curve.points[0].kept["channels"]
    assert (kept.left["conv1"], dict(kept.full)) == (
        8,
        {"conv1": 8, "layer1.0.conv1": 8, "layer2.0.conv1": 12, "layer2.0.conv2": 12},
    )
    assert curve.points[0].metrics["compression"] == pytest.approx(0.4, abs=0.03)
    assert curve.points[0].metrics["training_epochs"] == 1
    assert curve.plan.settings["prune.channels.widths.round.number"] == "1, 2"
