"""What the browser gets to draw."""

import json
from dataclasses import replace

import pytest
from planned import planned_curve

from orchestrator.planning import PlannedPoint
from orchestrator.report.explorer import explorer_json, scripts
from orchestrator.results import METRICS, Curve, Further, Kept, Point

LATENCY = "latency_p50_s/onnxruntime/b1"


def make_curve(seed: int, accuracy: float, *, method="l1", asked=0.2) -> Curve:
    plan = planned_curve(method, [PlannedPoint(compression=asked, key=f"{method}{seed}")], seed=seed)
    point = Point(
        asked=asked,
        key=f"{method}{seed}",
        metrics=dict.fromkeys(METRICS, 1.0) | {"accuracy": accuracy, "speedup": 2.0, "compression": asked},
        created_s=1.0,
        kept={"channels": Kept(left={"conv": 6 + seed}, full={"conv": 8})} if asked else {},
        further=(Further(stage="time", key=f"t{seed}", metrics={LATENCY: 0.002}, created_s=1.0),),
    )
    return Curve(plan=plan, points=(point,))


def drawn(*curves: Curve, target="parameters"):
    return json.loads(explorer_json(curves, target))


@pytest.fixture
def document():
    return drawn(make_curve(0, 0.8), make_curve(1, 0.6), make_curve(0, 0.9, method="dense", asked=0.0))


def test_every_measured_quantity_is_an_axis_in_the_unit_that_people_read(document):
    axes = {axis["key"]: axis for axis in document["axes"]}
    accuracy, latency = axes["accuracy"], axes[LATENCY]
    assert next(iter(axes)) == "accuracy"
    assert (accuracy["label"], accuracy["scale"], accuracy["higher"]) == ("Accuracy (%)", 100, True)
    assert (latency["label"], latency["higher"]) == ("Latency, median, onnxruntime b1 (ms)", False)
    assert {"macs", "params", "size_bytes", "macs_removed", "compression"} <= axes.keys()


def test_a_point_is_the_mean_over_the_seeds_with_its_deviation_and_layers(document):
    (model,) = document["models"]
    line, dense = model["curves"]
    (point,) = line["points"]
    at = [axis["key"] for axis in document["axes"]].index("accuracy")
    assert point["mean"][at] == 0.7
    assert point["deviation"][at] == pytest.approx(0.141421)
    assert (point["asked"], point["seeds"]) == (20, "2 of 2")
    assert point["kept"] == {"channels": [["conv", 6.5, 8]]}
    assert (line["level"], dense["level"], dense["points"][0]["kept"]) == (False, True, {})


def test_of_networks_of_several_widths_the_whole_is_a_mean_as_what_is_kept_is():
    small, wide = make_curve(0, 0.8), make_curve(1, 0.8)
    layers = Kept(left={"conv": 60, "more": 3}, full={"conv": 100, "more": 4})
    wide = replace(wide, points=(replace(wide.points[0], kept={"channels": layers}),))
    for pair in ((small, wide), (wide, small)):
        (point,) = drawn(*pair)["models"][0]["curves"][0]["points"]
        assert sorted(point["kept"]["channels"]) == [["conv", 33, 54], ["more", 3, 4]]


def test_the_first_axis_is_what_the_sweep_counts():
    assert drawn(make_curve(0, 0.8))["x"] == "compression"
    assert drawn(make_curve(0, 0.8), target="macs")["x"] == "macs_removed"
    assert drawn(make_curve(0, 0.8), target="latency")["x"] == "compression"  # no profile predicted any


def test_no_name_ends_the_element_that_holds_the_data():
    text = explorer_json([make_curve(0, 0.8, method="</script><!--")], "parameters")
    assert "</" not in text
    assert "<!" not in text
    assert json.loads(text)["models"][0]["curves"][0]["name"] == "</script><!--"


def test_no_script_ends_its_element_or_loads_another():
    assert not any("</script" in script.lower() for script in scripts())
    assert "://" not in scripts()[-1]
