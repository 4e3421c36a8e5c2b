"""The model card: what stands in it, not how."""

import re
from dataclasses import replace
from hashlib import sha256

import pytest
import torch
from own_network import Own

from jobs.metric import Metric
from orchestrator.commands.selecting import Selection, find_network
from orchestrator.export import ChosenNetwork, read_network
from orchestrator.export.card import model_card
from orchestrator.export.numbers import metric_text
from orchestrator.results.selection import Requirements
from workers.export.formats import ExportedFile

slow = pytest.mark.slow
FILES = [
    ExportedFile(name="load.py", size_bytes=3000),
    ExportedFile(name="model.pt2", size_bytes=2**21, difference=0.0),
]


@pytest.fixture
def choose(computed):
    def chosen(method: str) -> ChosenNetwork:
        asked = Selection(wanted=Requirements(method=method), seed=0, best=False, by=None)
        found = find_network("small", str(computed / "store"), asked)
        return read_network(found.record, found.store, found.every, found.selected)

    return chosen


def row(card: str, name: str) -> list[str]:
    """The cells of a table's row, but the first."""
    (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", card, re.MULTILINE)
    return [cell.strip() for cell in cells.split(" | ")]


@slow
def test_it_says_what_the_network_is_and_how_it_came_about(choose):
    card = model_card(choose("l1"))
    assert card.startswith("# net/l1 at 30 %\n")
    assert row(card, "network") == ["`own_network:Own(classes=10, layer_norm=False, width=8)`"]
    assert row(card, "made from") == ["random weights, trained by this sweep"]
    assert row(card, "licence of the weights") == ["CC-BY-4.0"]
    assert row(card, "data set") == ["digits"]
    assert row(card, "images") == ["1 x 8 x 8, pixels in [0, 1], then less mean [0.5], over std [0.25]"]
    assert row(card, "method") == ["l1 (criterion, l1)"]
    assert row(card, "protocol after pruning") == ["none"]
    assert re.fullmatch(r"30 % of parameters asked, \d\d\.\d % of parameters gone", row(card, "compression")[0])
    assert row(card, "seed") == ["0"]
    assert row(card, "chosen") == ["by name"]


@slow
def test_its_numbers_are_those_of_the_points_beside_the_dense_network(choose):
    chosen = choose("l1")
    card = model_card(chosen)
    own, over_seeds, dense = row(card, "accuracy")
    assert own == f"{100 * chosen.selected.point.value:.1f} %"
    candidate = chosen.selected.candidate
    assert over_seeds == f"{100 * candidate.value:.1f} % ± {100 * candidate.deviation:.1f} %"
    assert dense.startswith(f"{100 * candidate.dense:.1f} %")
    own, over_seeds, dense = row(card, "parameters")
    assert own == over_seeds  # no deviation: the same for both seeds
    whole = Own(width=8, classes=10, layer_norm=False)
    assert dense == f"{sum(each.numel() for each in whole.parameters()):,}"


@slow
def test_times_come_with_their_processor(choose):
    chosen = choose("l1")
    assert "Times are from" not in model_card(chosen)
    timed = replace(chosen, timed_on={"cpu": "some make", "threads": "1"})
    assert "Times are from this processor: cpu some make, threads 1." in model_card(timed)


@slow
def test_it_lists_the_widths(choose):
    chosen = choose("l1")
    kept = chosen.selected.point.kept["channels"]
    card = model_card(chosen)
    assert row(card, "stem") == [str(kept.left["stem"]), "8"]
    assert row(card, "point") == [str(kept.left["point"]), "16"]


@slow
def test_every_file_has_a_line_that_says_how_it_is_used(choose):
    card = model_card(choose("l1"), FILES)
    assert row(card, "model.pt2") == ["2.1 MB", "0.0e+00", '`torch.export.load("model.pt2").module()(images)`']
    assert row(card, "load.py")[2] == "`load(FOLDER, Own)`, with `own_network.Own`"


@slow
def test_of_a_network_around_another_one_both_classes_are_named(choose):
    chosen = choose("l1")
    around = replace(chosen.recipe, network="own_network:Around", arguments={"outputs": 3}, backbone=chosen.recipe)
    card = model_card(replace(chosen, recipe=around), FILES)
    inner = "own_network:Own(classes=10, layer_norm=False, width=8)"
    assert row(card, "network") == [f"`own_network:Around(backbone={inner}, outputs=3)`"]
    use = "`load(FOLDER, Around, Own)`, with `own_network.Around`, with `own_network.Own`"
    assert row(card, "load.py")[2] == use


@slow
def test_of_single_weights_it_says_that_time_does_not_fall(choose):
    card = model_card(choose("zeros"))
    assert "Time does not fall by itself" in card
    left, table = card.split("## Zeros")
    kept, full = (int(cell) for cell in row(left, "point.weight"))
    assert full == 128
    assert row(table, "point.weight") == [f"{100 * (1 - kept / full):.1f} %", "no"]
    assert "Time does not fall" not in model_card(choose("l1"))


@slow
def test_it_says_where_the_network_comes_from(choose):
    chosen = choose("l1")
    card = model_card(chosen)
    assert row(card, "SHA-256 of model.safetensors") == [f"`{sha256(chosen.weights).hexdigest()}`"]
    assert row(card, "task that made the network") == [f"`{chosen.key}`"]
    assert row(card, "task that evaluated it") == [f"`{chosen.selected.point.key}`"]
    assert row(card, "torch") == [torch.__version__.partition("+")[0]]
    assert "\nname: small\n" in card.partition("```yaml")[2]


@slow
def test_tensorrt_and_what_is_missing_are_told_where_asked(choose):
    card = model_card(choose("l1"), tensorrt=True, missing={"model.onnx": "no such op"})
    assert "trtexec --onnx=model.onnx --minShapes=images:1x1x8x8 --optShapes=images:32x1x8x8" in card
    assert "**model.onnx is missing**: no such op." in card
    assert "trtexec" not in model_card(choose("l1"))


def test_numbers_are_in_the_units_that_people_read():
    accuracy = Metric(name="accuracy", label="accuracy", direction="higher", unit="%", scale=100.0, digits=1)
    read = {
        "accuracy/int8": (0.512, "51.2 %"),
        "accuracy_best": (0.5, "50.0 %"),
        "accuracy_ema": (0.5, "50.0 %"),
        "compression": (0.396, "39.6 %"),
        "params": (1234567.0, "1,234,567"),
        "size_bytes/int8": (4.2e6, "4.2 MB"),
        "peak_memory_bytes": (420.0, "0.4 kB"),
        "latency_p50_s/onnxruntime/b1": (0.00123, "1.23 ms"),
        "speedup_measured/onnxruntime/b1": (1.834, "1.83x"),
        "energy_j": (0.5, "0.5 J"),
        "loss": (2.0, "2"),
    }
    assert {name: metric_text(name, value, (accuracy,)) for name, (value, _) in read.items()} == {
        name: text for name, (_, text) in read.items()
    }
