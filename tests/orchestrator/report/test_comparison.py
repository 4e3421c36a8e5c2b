"""What curves amount to, by hand."""

import csv
import io
import random
from dataclasses import replace

import pytest
from matplotlib.image import imread
from planned import planned_curve

from jobs.metric import Metric
from orchestrator.planning import PlannedPoint
from orchestrator.report import report_files, summarize, summary_tables
from orchestrator.report.comparison import areas, areas_of_curves, changes_to_dense, kept_fractions, pareto_front
from orchestrator.report.patterns import draw_patterns
from orchestrator.results import Curve, Kept, Point, SweepRecord, metric_keys


def curve(method: str, points: dict[float, float], *, seed=0, protocol="none", kept=None, **metrics) -> Curve:
    """A curve: compression asked for -> accuracy; what else was measured is the same for all points."""
    keys = {asked: f"{method}/{protocol}/{seed}/{asked}" for asked in points}
    plan = planned_curve(
        method,
        (PlannedPoint(compression=asked, key=key) for asked, key in keys.items()),
        seed=seed,
        protocol=protocol,
    )
    measured = tuple(
        Point(
            asked=asked,
            key=keys[asked],
            metrics={
                "accuracy": accuracy,
                "compression": asked,
                "params": 100 * (1 - asked),
                "macs": 100 * (1 - asked),
                **metrics,
            },
            created_s=0.0,
            kept={of: Kept(left=left, full=dict.fromkeys(left, 8)) for of, left in (kept or {}).items()},
        )
        for asked, accuracy in points.items()
    )
    return Curve(plan=plan, points=measured)


DENSE = curve("dense", {0.0: 1.0})


def area_of(method: str, *curves: Curve) -> float:
    return next(area for row, area in areas(summarize(curves)).items() if row.method == method)


def test_the_area_begins_at_the_dense_network():
    # From 1.0 at 0 to 0.6 at 0.4: on average 0.8.
    assert area_of("l1", DENSE, curve("l1", {0.4: 0.6})) == pytest.approx(0.8)


def test_without_a_dense_network_it_begins_where_all_curves_have_begun():
    one, other = curve("l1", {0.1: 0.9, 0.3: 0.5}), curve("l2", {0.2: 0.8, 0.3: 0.6})
    # l1 is at 0.7 in 0.2.
    assert area_of("l1", one, other) == pytest.approx(0.6)
    assert area_of("l2", one, other) == pytest.approx(0.7)


def test_a_method_that_stops_early_gains_nothing():
    short, long = curve("short", {0.2: 0.8}), curve("long", {0.2: 0.8, 0.4: 0.0})
    assert area_of("short", DENSE, short, long) == area_of("long", DENSE, short, long) == pytest.approx(0.9)


def test_seeds_count_by_their_mean():
    assert area_of("l1", DENSE, curve("l1", {0.4: 0.5}), curve("l1", {0.4: 0.7}, seed=1)) == pytest.approx(0.8)


def test_curves_without_a_common_range_have_no_area():
    assert areas(summarize([curve("a", {0.1: 0.9, 0.2: 0.8}), curve("b", {0.3: 0.7, 0.4: 0.6})])) == {}


def test_the_change_is_to_the_dense_network_of_the_same_seed():
    curves = [DENSE, curve("dense", {0.0: 0.5}, seed=1), curve("l1", {0.2: 0.75}, seed=1), curve("l1", {0.2: 0.75})]
    changes = changes_to_dense(curves)
    assert changes["l1/none/1/0.2"] == 0.25
    assert changes["l1/none/0/0.2"] == -0.25


def test_a_dense_network_that_was_trained_on_is_no_reference():
    changes = changes_to_dense([DENSE, curve("dense", {0.0: 0.5}, protocol="long"), curve("l1", {0.2: 0.75})])
    assert changes["l1/none/0/0.2"] == -0.25


def test_without_a_dense_network_there_is_no_change():
    assert changes_to_dense([curve("l1", {0.2: 0.75})]) == {}


def test_the_front_has_the_points_that_none_beats():
    curves = [DENSE, curve("l1", {0.2: 0.7, 0.4: 0.6}), curve("random", {0.2: 0.5, 0.4: 0.6})]
    # random at 0.2 is beaten at equal size; both at 0.4 are equal, and neither beats the other.
    assert pareto_front(curves) == {"dense/none/0/0.0", "l1/none/0/0.2", "l1/none/0/0.4", "random/none/0/0.4"}


def test_the_front_is_that_of_comparing_every_pair():
    draw = random.Random(0)
    curves = [
        curve(str(number), {0.2: draw.randrange(5)}, params=draw.randrange(5), macs=draw.randrange(5))
        for number in range(60)
    ]
    losses = {
        each.points[0].key: (-metrics["accuracy"], metrics["params"], metrics["macs"])
        for each in curves
        for metrics in [each.points[0].metrics]
    }

    def beaten(mine):
        return any(other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in losses.values())

    assert pareto_front(curves) == {key for key, mine in losses.items() if not beaten(mine)}


def test_a_slower_point_of_equal_size_can_be_beaten_by_latency_alone():
    slow, quick = (curve(name, {0.2: 0.7}, latency_p50_s=time) for name, time in (("slow", 2.0), ("quick", 1.0)))
    assert pareto_front([slow, quick]) == {"quick/none/0/0.2"}


def test_a_latency_that_some_lack_decides_nothing():
    timed, untimed = curve("timed", {0.2: 0.7}, latency_p50_s=1.0), curve("untimed", {0.2: 0.7})
    assert len(pareto_front([timed, untimed])) == 2


def test_the_seeds_of_a_method_share_its_area_and_the_dense_network_has_none():
    seeds = [curve("l1", {0.2: 0.7, 0.4: 0.5}), curve("l1", {0.2: 0.5, 0.4: 0.3}, seed=1)]
    found = areas_of_curves([DENSE, *seeds])
    # Corners 1, 0.6 and 0.4 over [0, 0.4]: (0.8 + 0.5) / 2.
    assert found == {seeds[0].plan: pytest.approx(0.65), seeds[1].plan: pytest.approx(0.65)}


def test_what_is_kept_is_the_mean_over_the_seeds():
    curves = [
        curve("l1", {0.2: 0.7}, kept={"channels": {"a": 4, "b": 8}}),
        curve("l1", {0.2: 0.7}, seed=1, kept={"channels": {"a": 6, "b": 8}}),
    ]
    assert kept_fractions(curves, 0.2, "channels") == {("l1", "none"): {"a": 0.625, "b": 1.0}}
    assert kept_fractions(curves, 0.2, "weights") == {}


def test_single_weights_stand_apart_from_channels():
    curves = [
        curve("l1", {0.2: 0.7}, kept={"channels": {"a": 4}}),
        curve("lottery", {0.2: 0.7}, kept={"weights": {"conv.weight": 2}}),
    ]
    assert kept_fractions(curves, 0.2, "weights") == {("lottery", "none"): {"conv.weight": 0.25}}
    both = imread(io.BytesIO(draw_patterns(curves, "")))
    one = imread(io.BytesIO(draw_patterns(curves[:1], "")))
    assert both.shape[0] > one.shape[0]
    files = report_files(
        SweepRecord(name="s", spec={}, curves=tuple(each.plan for each in curves)),
        list(map(replace_metrics, curves)),
        [],
    )
    rows = list(csv.DictReader(io.StringIO(files["kept.csv"].decode())))
    assert [(row["of"], row["name"], row["left"]) for row in rows] == [
        ("channels", "a", "4"),
        ("weights", "conv.weight", "2"),
    ]


RMSE = Metric(name="rmse", label="RMSE", direction="lower", digits=2)


def errors(method: str, points: dict[float, float], **more) -> Curve:
    """A curve of a metric of which less is better."""
    made = curve(method, points, **more)
    lower = [
        replace(point, objective=(RMSE,), metrics={**dict.fromkeys(metric_keys((RMSE,)), 1.0), **point.metrics})
        for point in made.points
    ]
    return replace(
        made, points=tuple(replace(each, metrics={**each.metrics, "rmse": points[each.asked]}) for each in lower)
    )


def test_where_less_is_better_the_front_has_the_lowest():
    curves = [errors("dense", {0.0: 0.1}), errors("good", {0.2: 0.2}), errors("bad", {0.2: 0.3})]
    assert pareto_front(curves) == {"dense/none/0/0.0", "good/none/0/0.2"}
    assert changes_to_dense(curves)["bad/none/0/0.2"] == pytest.approx(0.2)


def test_where_less_is_better_the_smallest_area_stands_first_and_all_speak_of_the_metric():
    curves = [errors("dense", {0.0: 0.1}), errors("bad", {0.2: 0.3}), errors("good", {0.2: 0.2})]
    files = report_files(SweepRecord(name="s", spec={}, curves=tuple(each.plan for each in curves)), curves, [])
    rows = list(csv.DictReader(io.StringIO(files["areas.csv"].decode())))
    assert [row["method"] for row in rows] == ["good", "bad"]
    (head, *_) = files["points.csv"].decode().splitlines()
    assert "rmse,rmse_best,loss" in head
    assert "rmse_change" in head
    page, _, _ = files["report.html"].decode().partition("<script")
    area = ">0.20<"  # bad: (0.1 + 0.3) / 2
    for words in ("<h2>RMSE by parameters asked to be removed</h2>", "Area: mean RMSE over", area):
        assert words in page
    assert "ccuracy" not in page
    assert [table.title for table in summary_tables(curves)] == [
        "RMSE by parameters removed, mean ± standard deviation"
    ]


def test_the_report_has_all_of_it():
    curves = [replace_metrics(each) for each in (DENSE, curve("l1", {0.2: 0.7}, kept={"channels": {"a": 4, "b": 8}}))]
    record = SweepRecord(name="s", spec={}, curves=tuple(each.plan for each in curves))
    files = report_files(record, curves, [])
    (_, point) = csv.DictReader(io.StringIO(files["points.csv"].decode()))
    assert (float(point["accuracy_change"]), point["pareto"]) == (pytest.approx(-0.3), "yes")
    kept = list(csv.DictReader(io.StringIO(files["kept.csv"].decode())))
    assert [(row["name"], row["left"], row["full"]) for row in kept] == [("a", "4", "8"), ("b", "8", "8")]
    (area,) = csv.DictReader(io.StringIO(files["areas.csv"].decode()))
    assert (area["method"], float(area["area"])) == ("l1", pytest.approx(0.85))
    assert imread(io.BytesIO(files["kept.png"])).std() > 0
    assert 'alt="What is kept"' in files["report.html"].decode()


def replace_metrics(each: Curve) -> Curve:
    """With every metric that a report writes."""
    from orchestrator.results import METRICS

    points = tuple(replace(point, metrics={**dict.fromkeys(METRICS, 1.0), **point.metrics}) for point in each.points)
    return replace(each, points=points)


def test_a_method_that_removes_nothing_is_not_what_others_are_compared_with():
    converted = curve("integral", {0.0: 0.6})
    changes = changes_to_dense([DENSE, converted, curve("l1", {0.2: 0.85})])
    assert {key.partition("/")[0]: change for key, change in changes.items()} == pytest.approx(
        {"dense": 0.0, "integral": -0.4, "l1": -0.15}
    )
