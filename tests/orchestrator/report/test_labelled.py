"""Reports of models that are taken together by a label."""

import csv
import io
from dataclasses import replace

import pytest
from chosen_networks import made_curve

from jobs.errors import BadInputError
from orchestrator.report import few_models, report_files, summarize
from orchestrator.report.labelled import by_label
from orchestrator.results import Curve, SweepRecord

RATES = {"a": "10", "b": "9", "c": "10"}


def labelled(model: str, method: str, points: dict[float, float], seed: int = 0) -> Curve:
    curve = made_curve(method, points, model=model, seed=seed)
    return replace(curve, plan=replace(curve.plan, labels={"rate": RATES[model]}))


CURVES = [
    *(labelled(model, "dense", {0.0: 0.9}) for model in RATES),
    labelled("a", "l1", {0.5: 0.8}),
    labelled("b", "l1", {0.5: 0.7}),
    labelled("c", "l1", {0.5: 0.6}),
    labelled("c", "l1", {0.5: 0.6}, seed=1),
    made_curve("l1", {0.5: 0.1}, model="without"),
]


def test_models_of_one_value_are_seeds_of_one_model_in_the_order_of_numbers():
    curves = by_label(CURVES, "rate")
    assert list(dict.fromkeys(curve.plan.model for curve in curves)) == ["rate=9", "rate=10"]
    row = next(row for row in summarize(curves).rows if (row.model, row.method) == ("rate=10", "l1"))
    assert row.cells[0].num_measured == 3
    assert row.cells[0].value == pytest.approx((0.8 + 0.6 + 0.6) / 3)


def test_a_network_is_still_compared_with_its_own_dense_one():
    curves = {(curve.plan.method, curve.points[0].key): curve.plan.seed for curve in by_label(CURVES, "rate")}
    assert curves["dense", "c/dense/none/0/0.0"] == curves["l1", "c/l1/none/0/0.5"]
    assert curves["l1", "c/l1/none/0/0.5"] != curves["l1", "c/l1/none/1/0.5"]


def test_words_come_as_they_are_in_the_sweep():
    words = [replace(curve, plan=replace(curve.plan, labels={"rate": f"{curve.plan.model}!"})) for curve in CURVES]
    assert list(dict.fromkeys(curve.plan.model for curve in by_label(words, "rate")))[:2] == ["rate=a!", "rate=b!"]


def test_a_terminal_shows_hundreds_of_models_by_their_first_label_and_a_few_as_they_are():
    many = [
        replace(curve, plan=replace(curve.plan, labels={"half": str(number % 2), "number": str(number)}))
        for number in range(20)
        for curve in [made_curve("l1", {0.5: 0.5}, model=f"m{number}")]
    ]
    shown, label = few_models(many)
    assert (label, list(dict.fromkeys(curve.plan.model for curve in shown))) == ("half", ["half=0", "half=1"])
    assert few_models(CURVES) == (tuple(CURVES), "")


@pytest.mark.parametrize(
    ("curves", "words"), [(CURVES, "did you mean 'rate'"), (CURVES[-1:], "no model of the sweep has labels")]
)
def test_a_label_that_no_model_has_is_refused(curves, words):
    with pytest.raises(BadInputError, match=words):
        by_label(curves, "rte")


def test_a_report_takes_them_together_and_its_points_are_those_of_models_with_their_labels():
    record = SweepRecord(name="zoo", spec={"name": "zoo"}, curves=tuple(curve.plan for curve in CURVES))
    files = report_files(record, CURVES, [], by="rate")
    assert "rate=10" in files["report.html"].decode()
    assert "rate=10,digits,l1" in files["areas.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(files["points.csv"].decode())))
    assert [row["label.rate"] for row in rows] == ["10", "9", "10", "10", "9", "10", "10", ""]
    assert {row["model"] for row in rows} == {"a", "b", "c", "without"}
