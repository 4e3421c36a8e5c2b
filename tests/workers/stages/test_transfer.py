"""A pruned classifier as the backbone of another network, and a pruned network with such a backbone."""

import copy

import torch

from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect
from tests.orchestrator.planning.test_transfer import SWEEP

WIDTHS = (4, 6)
BACKBONE = sum(9 * a * b + 2 * b for a, b in ((1, 4), (4, 6)))


def test_the_sweep_of_both_runs(write_sweep):
    torch.set_num_threads(1)
    sweep = copy.deepcopy({**SWEEP, "controls": False})
    net = {"network": "tests.support.with_backbone:one_size", "arguments": {"widths": list(WIDTHS)}}
    sweep["models"]["net"] = {**net, "train": {"epochs": 1}}
    for protocol in ("move", "scratch-move"):
        sweep["protocols"][protocol]["data"].pop("root", None)
    path = write_sweep(sweep)
    assert run(str(path), [], backend="inline") == 0
    record, store = find_record(str(path), "")
    curves = {(each.plan.method, each.plan.protocol): each for each in collect(record, store)}
    assert all(curve.complete for curve in curves.values())
    points = {name: curve.points[0] for name, curve in curves.items()}
    assert points["dense", "none"].objective[0].name == "accuracy"
    assert {points[name].objective[0].name for name in points if name != ("dense", "none")} == {"mse"}
    whole = points["dense", "move"].metrics
    assert (whole["compression"], whole["speedup"], whole["params"]) == (0, 1, BACKBONE + 4 * 6 + 4 + 4 + 1)
    for name in (("prune-c", "move"), ("prune-c", "scratch-move"), ("prune-d", "tuned"), ("prune-d", "scratch")):
        metrics = points[name].metrics
        assert metrics["params"] < whole["params"]
        assert metrics["compression"] == 1 - metrics["params"] / whole["params"]
        assert metrics["speedup"] > 1
    assert metrics["training_epochs"] == 2
