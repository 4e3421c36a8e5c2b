"""The files of a report."""

import csv
import dataclasses
import io

import yaml
from hand_made import make_curve, make_record

from jobs.metric import OCCASIONAL_KEYS
from orchestrator.report import points_csv, report_files, write_report
from orchestrator.results import METRICS, Kept
from orchestrator.results.orders import GroupOrder

ORDERS = (
    GroupOrder(
        model="net",
        method="integral",
        seed=0,
        group="layer1",
        width=8,
        identity_length=9.5,
        length=4.0,
        lower_bound=3.0,
        gap=0.25,
        status="feasible",
        solve_s=0.5,
    ),
)

COMPARED = ["accuracy_change", "pareto", "digest", "key", "note"]


def test_csv_reads_back_exactly(curves):
    curves = (*curves, make_curve('odd, "name"', 0, {0.3: 1 / 3}, note="line 1\nline 2"))
    rows = list(csv.DictReader(io.StringIO(points_csv(make_record(*curves), curves, {}, ()))))
    assert len(rows) == sum(len(curve.points) for curve in curves)  # 5 measured before, 1 more
    last = rows[-1]
    assert float(last["accuracy"]) == 1 / 3
    assert (last["sweep"], last["method"], last["note"]) == ("quick", 'odd, "name"', "line 1\nline 2")
    assert list(last) == [
        "sweep",
        "model",
        "dataset",
        "method",
        "protocol",
        "seed",
        "asked",
        *METRICS,
        *OCCASIONAL_KEYS,
        *COMPARED,
    ]


def test_report_writes_its_files(curves, tmp_path):
    record = make_record(*curves)
    paths = write_report(record, curves, ORDERS, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [
        "curves.png",
        "points.csv",
        "areas.csv",
        "settings.csv",
        "report.html",
        "sweep.yaml",
        "orders.csv",
    ]
    assert {path.name: path.read_bytes() for path in paths} == report_files(record, curves, ORDERS)
    assert yaml.safe_load(paths[5].read_text()) == record.spec


def test_files_of_an_earlier_report_that_this_one_does_not_have_are_removed(curves, tmp_path):
    kept = {"channels": Kept(left={"a": 3}, full={"a": 4})}
    pruned = [
        dataclasses.replace(each, points=tuple(dataclasses.replace(p, kept=kept) for p in each.points))
        for each in curves
    ]
    occasional = {"kept.csv", "kept.png", "orders.csv"}
    assert occasional < {path.name for path in write_report(make_record(*pruned), pruned, ORDERS, tmp_path)}
    (tmp_path / "notes.csv").write_text("mine")
    paths = write_report(make_record(*curves), curves, (), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in paths), "notes.csv"}


def test_tables_that_no_report_wrote_stay_whatever_they_are_called(curves, tmp_path):
    for name in ("kept.csv", "kept.png", "orders.csv"):
        (tmp_path / name).write_text("customer,orders")
    write_report(make_record(*curves), curves, (), tmp_path)
    assert {(tmp_path / name).read_text() for name in ("kept.csv", "kept.png", "orders.csv")} == {"customer,orders"}


def test_a_sweep_with_orders_has_a_table_of_them(curves):
    record = make_record(*curves)
    table = list(csv.DictReader(io.StringIO(report_files(record, curves, ORDERS)["orders.csv"].decode())))
    assert [(line["group"], line["identity_length"], line["length"], line["gap"]) for line in table] == [
        ("layer1", "9.5", "4.0", "0.25")
    ]
    assert "orders.csv" not in report_files(record, curves, ())
