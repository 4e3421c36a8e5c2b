"""Mean curves: which there are, in which order, and what their rows are."""

from dataclasses import replace
from statistics import stdev

import pytest
from tracked_curves import make_curve, make_record, with_accuracies

from orchestrator.results import Curve, Further
from orchestrator.tracking.means import REACHED, mean_curves
from orchestrator.tracking.views import colors

RANDOM = {"methods": {"random": {"criterion": "random"}}}


def means_of(*curves: Curve, spec=None):
    return mean_curves(replace(make_record(*curves), spec=spec or {}), curves)


def test_a_row_is_the_mean_over_the_seeds_with_its_deviation():
    seeds = [with_accuracies(make_curve(seed=seed), values) for seed, values in enumerate([(0.9, 0.8), (0.7, 0.7)])]
    (mean,) = means_of(*seeds)
    first, second = mean.rows
    assert (first.step, first.metrics["accuracy"]) == (20, pytest.approx(0.8))
    assert second.metrics["accuracy_std"] == pytest.approx(stdev([0.8, 0.7]))
    assert (mean.label, mean.complete, first.settled) == ("net/l1", True, True)


def test_a_single_seed_has_no_deviation():
    assert "accuracy_std" not in means_of(make_curve())[0].rows[0].metrics


def test_dense_networks_come_first_then_random_pruning():
    curves = [make_curve(name) for name in ("l1", "random")] + [make_curve("dense", compressions=(0.0,))]
    assert [mean.plan.method for mean in means_of(*curves, spec=RANDOM)] == ["dense", "random", "l1"]


def test_a_dense_network_crosses_all_compressions_of_its_model_with_its_quality_alone():
    dense, *_ = means_of(make_curve(), make_curve("dense", compressions=(0.0,)))
    assert [row.step for row in dense.rows] == [0, 20, 40]
    assert [row.metrics["accuracy"] for row in dense.rows] == [1.0, 1.0, 1.0]
    assert [row.metrics[REACHED] for row in dense.rows] == [0.0, 0.2, 0.4]
    assert ["macs" in row.metrics for row in dense.rows] == [True, False, False]  # it costs that at none of them


def test_a_row_without_all_its_seeds_is_not_settled():
    (mean,) = means_of(make_curve(), make_curve(seed=1, measured=(0.2,)))
    assert [(row.name, row.settled) for row in mean.rows] == [("20", True), ("40", False)]


def test_what_has_measured_nothing_has_no_rows():
    assert means_of(make_curve(measured=()))[0].rows == ()


def test_times_are_a_row_of_their_own_and_stand_beside_the_quality_in_the_charts():
    curve = make_curve(compressions=(0.2,))
    timed = Further(stage="time", key="t" * 32, metrics={"latency_p50_s/eager/b1": 0.5}, created_s=1.0)
    plan = replace(curve.plan, points=(replace(curve.plan.points[0], further=(("time", "t" * 32),)),))
    (mean,) = means_of(Curve(plan=plan, points=(replace(curve.points[0], further=(timed,)),)))
    assert {row.name: row.metrics.get("latency_p50_s eager b1") for row in mean.rows} == {"20": None, "20/time": 0.5}


def test_two_hundred_curves_have_colours_a_hue_for_each_method():
    curves = [make_curve(f"m{index // 2}") for index in range(200)]
    curves = [replace(c, plan=replace(c.plan, protocol="ft" if i % 2 else "none")) for i, c in enumerate(curves)]
    record = make_record(*curves)
    chosen = colors(record, mean_curves(record, curves))
    assert len(chosen) == 200
    assert len(set(chosen[:32])) == 32
