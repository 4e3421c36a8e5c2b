import io

import pytest
from planned import planned_curve
from rich.console import Console

from orchestrator.planning import PlannedPoint
from orchestrator.report import html_page
from orchestrator.report.speed import speed_table, summarize_speed
from orchestrator.results import METRICS, Curve, Further, Point, SweepRecord


def make_curve(
    method="l1", seed=0, *, theoretical=2.0, predicted=None, ran_on="", **measured: tuple[float, float]
) -> Curve:
    """One point at 40 %, measured in runtimes: name -> speedup and spread."""
    variants = {name.replace("_", "/"): each for name, each in measured.items()}
    metrics = {f"speedup_measured/{name}": speedup for name, (speedup, _) in variants.items()}
    metrics |= {f"speedup_spread/{name}": spread for name, (_, spread) in variants.items()}
    further = Further(stage="time", key="t", metrics=metrics, created_s=2.0, ran_on=ran_on)
    own = dict.fromkeys(METRICS, 0.5) | {"speedup": theoretical}
    if predicted:
        own["speedup_predicted"] = predicted
    point = Point(asked=0.4, key="p", metrics=own, created_s=1.0, further=(further,) if measured else ())
    planned = (PlannedPoint(compression=0.4, key="p"),)
    plan = planned_curve(method, planned, seed=seed)
    return Curve(plan=plan, points=(point,))


def record(*curves: Curve, target="parameters") -> SweepRecord:
    return SweepRecord(name="quick", spec={"target": target}, curves=tuple(curve.plan for curve in curves))


def summarize(*curves: Curve, target="parameters"):
    return summarize_speed(record(*curves, target=target), curves)


def test_what_was_asked_predicted_and_measured_stand_side_by_side():
    curve = make_curve(theoretical=1.9, predicted=1.6, eager_b1=(1.5, 0.1), onnxruntime_b1=(1.4, 0.2))
    summary = summarize(curve, target="latency")
    assert summary.head == ["asked", "by MACs", "predicted", "eager/b1", "onnxruntime/b1"]
    (row,) = summary.rows
    assert row.texts(summary) == ["1.67x", "1.90x", "1.60x", "1.50x ± 0.05", "1.40x ± 0.10"]


def test_only_a_target_latency_asks_for_a_speedup():
    summary = summarize(make_curve(eager_b1=(1.5, 0.1)))
    (row,) = summary.rows
    assert row.texts(summary) == ["", "2.00x", "", "1.50x ± 0.05"]


def test_means_are_over_the_seeds():
    (row,) = summarize(make_curve(seed=0, eager_b1=(1.0, 0.0)), make_curve(seed=1, eager_b1=(2.0, 0.2))).rows
    assert row.measured["eager/b1"] == pytest.approx((1.5, 0.1))


def test_networks_of_which_nothing_was_measured_are_left_out():
    assert summarize(make_curve()).rows == ()


@pytest.mark.parametrize(("speedup", "spread", "slower"), [(0.8, 0.1, True), (0.95, 0.1, False), (1.2, 0.1, False)])
def test_slower_is_what_is_slower_beyond_the_spread(speedup, spread, slower):
    summary = summarize(make_curve(eager_b1=(speedup, spread)))
    (row,) = summary.rows
    assert bool(row.slower) is slower
    assert ("slower" in row.texts(summary)[-1]) is slower


def test_networks_of_one_machine_are_told_it_once():
    one, other = (make_curve(seed=seed, ran_on="EPYC", eager_b1=(1.5, 0.1)) for seed in (0, 1))
    summary = summarize(one, other)
    assert (summary.head[-1], summary.place) == ("eager/b1", "Measured on EPYC.")
    assert summarize(make_curve(eager_b1=(1.5, 0.1))).place == ""  # an earlier version did not say it


def test_networks_that_were_timed_on_several_machines_are_marked():
    curves = [
        make_curve("l1", 0, ran_on="EPYC", eager_b1=(1.5, 0.1)),
        make_curve("l1", 1, ran_on="M2", eager_b1=(2, 0)),
    ]
    curves.append(make_curve("l2", ran_on="M2", eager_b1=(1.2, 0.1)))
    summary = summarize(*curves)
    assert summary.head[-1] == "measured on"
    assert [row.texts(summary)[-1] for row in summary.rows] == ["EPYC and M2", "M2"]
    page = html_page(record(*curves), curves)
    assert "Measured on 2 makes of machine" in page
    assert "EPYC and M2" in page


def test_the_page_says_what_is_slower():
    slow, fast = make_curve("l1", eager_b1=(0.5, 0.1)), make_curve("l2", eager_b1=(1.5, 0.1))
    page = html_page(record(slow, fast), [slow, fast])
    assert "What it buys in speed" in page
    assert "1 of these networks are slower than the dense one" in page
    assert "0.50x ± 0.05, slower" in page
    assert "What it buys in speed" not in html_page(record(make_curve()), [make_curve()])


def test_the_terminal_has_the_same_table():
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(speed_table(summarize(make_curve(eager_b1=(1.5, 0.1)))))
    text = console.export_text()
    assert "by MACs" in text
    assert "1.50x ± 0.05" in text
