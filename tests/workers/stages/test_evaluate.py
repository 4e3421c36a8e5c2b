from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from jobs.outcome import Cause
from workers.stages._images import read_data

KEYS = {
    "metrics",
    "accuracy",
    "accuracy_best",
    "top5",
    "f1",
    "calibration_error",
    "precision",
    "loss",
    "num_samples",
    "compression",
    "compression_ratio",
    "speedup",
    "params",
    "macs",
    "size_bytes",
    "peak_memory_bytes",
    "training_epochs",
    "training_macs",
    "note",
    "widths",
    "full_widths",
    "weights",
    "full_weights",
    "digest",
}
SIZES = ("params", "macs", "size_bytes")


def test_the_dense_network(bench):
    trained = bench.train()
    measured = bench.measured(bench.evaluate(trained))
    assert measured.keys() == KEYS
    assert (measured["num_samples"], measured["compression"], measured["note"]) == (597, 0.0, "")
    assert all(measured[name] == bench.measured(trained)[name] for name in SIZES)
    assert measured["accuracy"] > 0.2  # ten classes
    assert measured["loss"] > 0


def test_a_point_says_what_its_metrics_are(bench):
    described, *others = bench.measured(bench.evaluate(bench.train()))["metrics"]
    assert [each["name"] for each in others] == ["top5", "f1", "calibration_error"]
    assert described == {
        "name": "accuracy",
        "label": "accuracy",
        "direction": "higher",
        "unit": "%",
        "scale": 100.0,
        "digits": 1,
        "lowest": 0.0,
        "highest": 1.0,
    }


def test_of_a_pruned_network_it_repeats_what_pruning_measured(bench):
    pruned = bench.remove(bench.convert(fold=False), 0.9)
    measured = bench.measured(bench.evaluate(pruned))
    assert measured.keys() == KEYS
    repeated = (*SIZES, "compression", "note", "speedup", "widths", "full_widths")
    assert all(measured[name] == bench.measured(pruned)[name] for name in repeated)
    assert measured["compression_ratio"] == pytest.approx(1 / (1 - measured["compression"]))
    assert measured["digest"] == bench.digests(pruned)["weights.safetensors"]


def test_folding_costs_no_accuracy(bench):
    dense, folded = (bench.measured(bench.evaluate(key)) for key in (bench.train(), bench.convert()))
    assert folded["accuracy"] == pytest.approx(dense["accuracy"], abs=1 / 597)
    assert folded["loss"] == pytest.approx(dense["loss"], rel=1e-4)


def test_the_batch_size_changes_nothing_but_rounding(bench):
    trained = bench.train()
    other = bench.measured(bench.key(replace(bench.evaluation(trained), batch_size=100)))
    assert other["loss"] == pytest.approx(bench.measured(bench.evaluate(trained))["loss"], rel=1e-5)


@pytest.mark.parametrize("how", [{"channels_last": True}, {"compile": True}], ids=str)
def test_how_the_network_runs_changes_nothing_but_rounding(bench, monkeypatch, how):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    trained = bench.train()
    as_it_is, measured = bench.measured(bench.evaluate(trained)), bench.measured(bench.evaluate(trained, **how))
    torch.compiler.reset()
    assert measured.keys() == KEYS | {"precision_difference"}
    assert measured["loss"] == pytest.approx(as_it_is["loss"], rel=1e-4)
    assert measured["digest"] == as_it_is["digest"]
    assert measured["precision_difference"] < 1e-4


def test_another_split_is_another_number(bench):
    trained = bench.train()
    measured = bench.measured(bench.key(replace(bench.evaluation(trained), split="validation")))
    assert measured["num_samples"] == 200
    # The stage and training agree about the last epoch.
    assert measured["accuracy"] == bench.measured(trained)["last"]["validation_accuracy"]


@pytest.mark.parametrize(("asked", "seen"), [(50, 50), (1000, 597)])
def test_a_number_of_images_can_be_asked_for(bench, asked, seen):
    trained = bench.train()
    params = replace(bench.evaluation(trained), num_images=asked)
    assert bench.measured(bench.key(params))["num_samples"] == seen


def test_named_test_sets_are_measured_apart_and_listed_in_order(bench, monkeypatch):
    trained = bench.train()

    def split_in_two(context, params):
        data = read_data(context, params)
        parts = {"second": torch.arange(300, 597), "first": torch.arange(300)}
        return replace(data, test_sets={name: data.test.select(indices) for name, indices in parts.items()})

    monkeypatch.setattr("workers.stages.evaluate.read_data", split_in_two)
    measured = bench.measured(bench.key(replace(bench.evaluation(trained), batch_size=97)))
    assert measured["test_sets"] == ["second", "first"]
    right = 300 * measured["accuracy/first"] + 297 * measured["accuracy/second"]
    assert measured["accuracy"] == pytest.approx(right / 597)


def test_it_stops_when_asked_to(bench, failure):
    trained = bench.train()
    params = replace(bench.evaluation(trained), batch_size=99)
    outcome = bench.run(params, should_stop=lambda: True)
    assert failure(outcome).cause is Cause.CANCELLED


def test_a_network_that_passes_the_gates_counts(bench):
    pruned = bench.remove(bench.convert(fold=False), 0.3)
    measured = bench.measured(bench.evaluate(pruned, reload=True, export=True))
    assert measured == bench.measured(bench.evaluate(pruned))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_network_that_fails_a_gate_fails_its_point_with_the_reason(own_bench, failure, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from obstacle_networks import Emptied

    empty = own_bench.put("obstacle_networks:Emptied", Emptied().state_dict())
    outcome = failure(own_bench.run(own_bench.evaluation(empty)))
    assert outcome.cause is Cause.BAD_NETWORK
    assert "nothing.weight, nothing.bias have no elements" in outcome.message
