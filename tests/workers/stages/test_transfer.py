"""A pruned classifier as the backbone of another network, and a pruned network with such a backbone."""

import copy

import torch

from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect
from tests.orchestrator.planning.test_transfer import HERE, SWEEP
from workers.inputs import InputSpec
from workers.network import NetworkRecipe, rebuild, start_anew

WIDTHS = (4, 6)
BACKBONE = sum(9 * a * b + 2 * b for a, b in ((1, 4), (4, 6)))


def test_the_sweep_of_both_runs(write_sweep):
    torch.set_num_threads(1)
    sweep = copy.deepcopy({**SWEEP, "controls": False, "measure": {"reload": False, "export": False}})
    net = {"network": "tests.support.with_backbone:one_size", "arguments": {"widths": list(WIDTHS)}}
    sweep["models"]["net"] = {**net, "train": {"epochs": 1}}
    for protocol in ("move", "scratch-move"):
        sweep["protocols"][protocol]["data"].pop("root", None)
    sweep["methods"]["dense"]["protocols"] = ["move"]
    sweep["methods"]["prune-c"]["protocols"] = ["scratch-move"]
    sweep["methods"]["prune-d"]["protocols"] = ["tuned"]
    sweep["methods"]["mixed"] = {"kind": "integral", "models": ["net"], "protocols": ["move"]}
    path = write_sweep(sweep)
    assert run(str(path), [], backend="inline") == 0
    record, store = find_record(str(path), "")
    curves = {(each.plan.method, each.plan.protocol): each for each in collect(record, store)}
    assert all(curve.complete for curve in curves.values())
    points = {name: curve.points[0] for name, curve in curves.items()}
    assert {point.objective[0].name for point in points.values()} == {"mse"}
    whole = points["dense", "move"].metrics
    assert (whole["compression"], whole["speedup"], whole["params"]) == (0, 1, BACKBONE + 4 * 6 + 4 + 4 + 1)
    trained = {("prune-c", "scratch-move"): 1 + 2, ("prune-d", "tuned"): 2 + 1, ("mixed", "move"): 2}
    for name, epochs in trained.items():
        metrics = points[name].metrics
        assert metrics["params"] < whole["params"]
        assert metrics["compression"] == 1 - metrics["params"] / whole["params"]
        assert metrics["speedup"] > 1
        assert metrics["training_epochs"] == epochs
    a, b = points["mixed", "move"].kept["channels"].left.values()  # its batch norms were folded, and are back
    assert points["mixed", "move"].metrics["params"] == 9 * a + 9 * a * b + 2 * (a + b) + 4 * b + 4 + 4 + 1


def test_a_network_with_a_backbone_is_rebuilt_from_its_recipe():
    folded = (("features.0", "features.1"),)
    backbone = NetworkRecipe(
        network=f"{HERE}:one_size", arguments={"widths": [4, 6]}, inputs=InputSpec.of_shape((1, 8, 8)), folded=folded
    )
    recipe = NetworkRecipe(
        network=f"{HERE}:with_backbone", arguments={"width": 4}, inputs=InputSpec.of_shape((1, 8, 8)), backbone=backbone
    )
    module = recipe.construct().eval()
    assert "backbone.1.running_mean" not in module.state_dict()
    images = torch.rand(2, 1, 8, 8)
    again = rebuild(NetworkRecipe.from_json(recipe.to_json()), module.state_dict())
    assert torch.equal(again(images), module(images))
    fresh, unfolded = start_anew(recipe, module.state_dict())
    assert (fresh.state_dict().keys(), unfolded.backbone) == (module.state_dict().keys(), backbone)
