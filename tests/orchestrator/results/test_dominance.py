import pytest

from jobs.metric import Metric
from orchestrator.results.dominance import undominated

ACCURACY = Metric(name="accuracy", label="accuracy", direction="higher")
RMSE = Metric(name="rmse", label="RMSE", direction="lower")


def test_one_that_is_equal_in_all_and_better_in_one_beats():
    measured = {"a": {"accuracy": 0.9, "params": 10.0}, "b": {"accuracy": 0.9, "params": 9.0}}
    assert undominated(measured, ACCURACY) == ["b"]


def test_equal_ones_do_not_beat_each_other():
    assert len(undominated({name: {"accuracy": 0.9, "params": 10.0} for name in "ab"}, ACCURACY)) == 2


@pytest.mark.parametrize("cost", ["params", "macs", "latency_p50_s", "latency_p50_s/onnxruntime/b1"])
def test_every_cost_saves_a_worse_one(cost):
    measured = {"a": {"accuracy": 0.9, cost: 10.0}, "b": {"accuracy": 0.8, cost: 9.0}}
    assert set(undominated(measured, ACCURACY)) == {"a", "b"}


def test_what_is_no_cost_saves_nothing():
    measured = {"a": {"accuracy": 0.9, "duration_s": 10.0}, "b": {"accuracy": 0.8, "duration_s": 9.0}}
    assert undominated(measured, ACCURACY) == ["a"]


def test_of_some_metrics_less_is_better():
    measured = {"a": {"rmse": 0.9, "params": 10.0}, "b": {"rmse": 0.8, "params": 10.0}}
    assert undominated(measured, RMSE) == ["b"]
