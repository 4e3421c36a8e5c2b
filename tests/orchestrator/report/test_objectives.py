"""The report of a sweep whose models have different objectives, with named test sets and a baseline."""

import csv
import io

import pytest
from chosen_networks import PSNR, RMSE, made_curve
from matplotlib.figure import Figure
from rich.console import Console

from orchestrator.report import areas_of_curves, draw_curves, html_page, points_csv, report_files, summary_tables
from orchestrator.report.comparison import changes_to_dense, pareto_front
from orchestrator.results import Curve, SweepRecord
from orchestrator.results.selection import candidates, dense_of

SETS = {"set5": 2.0, "b100": -1.0}


def enlarging(method: str, points: dict[float, float], **more) -> Curve:
    return made_curve(method, points, model="sr", metric=PSNR, sets=SETS, **more)


BICUBIC = enlarging("bicubic", {0.0: 26.0}, baseline=True)
CURVES = (
    made_curve("dense", {0.0: 0.97}),
    made_curve("l1", {0.4: 0.91}),
    BICUBIC,
    enlarging("dense", {0.0: 28.7}),
    enlarging("l1", {0.4: 28.3}),
)
RECORD = SweepRecord(name="both", spec={}, curves=tuple(each.plan for each in CURVES))


def test_the_terminal_has_a_table_for_each_metric_and_test_set():
    tables = summary_tables(CURVES)
    assert [table.title.partition(",")[0] for table in tables] == [
        "Accuracy (%) by parameters removed",
        "PSNR (dB) by parameters removed",
        "PSNR (dB) on set5 by parameters removed",
        "PSNR (dB) on b100 by parameters removed",
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables[2])
    rows = [line.split() for line in console.export_text().splitlines()]
    assert ["model", "removed", "bicubic", "dense", "l1"] in rows
    assert ["sr", "0", "%", "28.00", "30.70"] in rows


def test_the_csv_has_the_columns_of_all():
    text = points_csv(RECORD, CURVES, changes_to_dense(CURVES), pareto_front(CURVES))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[7:12] == ["accuracy", "accuracy_best", "psnr_db", "psnr_db_best", "loss"]
    assert list(rows[0])[-8:-4] == ["psnr_db/set5", "psnr_db/b100", "accuracy_change", "psnr_db_change"]
    first, last = rows[1], rows[-1]
    assert (first["psnr_db"], first["psnr_db_change"], float(first["accuracy_change"])) == (
        "",
        "",
        pytest.approx(-0.06),
    )
    assert (last["accuracy"], float(last["psnr_db/set5"])) == ("", pytest.approx(30.3))


def test_a_baseline_is_on_no_front_and_has_no_area():
    smallest = enlarging("bicubic", {0.0: 29.0}, baseline=True)  # better than the dense network, and without parameters
    assert (
        pareto_front([*CURVES[3:], smallest]) == pareto_front(CURVES[3:]) == {"sr/dense/none/0/0.0", "sr/l1/none/0/0.4"}
    )
    # From the dense network to 40 %: (28.7 + 28.3) / 2, in decibels.
    assert areas_of_curves(CURVES)[CURVES[-1].plan] == pytest.approx(28.5)
    assert BICUBIC.plan not in areas_of_curves(CURVES)
    assert changes_to_dense(CURVES)[BICUBIC.points[0].key] == pytest.approx(-2.7)


def test_after_a_transfer_networks_are_compared_with_the_dense_one_after_it():
    moved = {"protocol": "to-images", "control": "to-images", "metric": PSNR}
    dense, pruned = made_curve("dense", {0.0: 28.0}, **moved), made_curve("l1", {0.4: 27.0}, **moved)
    curves = [*CURVES[:2], dense, pruned]
    changes = changes_to_dense(curves)
    assert (changes["net/l1/none/0/0.4"], changes["net/l1/to-images/0/0.4"]) == (pytest.approx(-0.06), -1.0)
    assert areas_of_curves(curves)[pruned.plan] == 27.5
    found = candidates(curves)
    assert (found[-1].change, dense_of(found, found[-1])) == (-1.0, found[-2])


def test_an_area_says_of_which_metric_it_is(monkeypatch):
    monkeypatch.setattr("orchestrator.report.draw_curves", lambda curves, title, target: b"png")
    rows = csv.DictReader(io.StringIO(report_files(RECORD, CURVES, [])["areas.csv"].decode()))
    assert [(row["model"], row["metric"]) for row in rows] == [("net", "accuracy"), ("sr", "psnr_db")]


def test_the_page_has_every_metric_in_its_unit():
    page, _, _ = html_page(RECORD, CURVES, figure=b"png").partition("<script")
    for words in (
        "Accuracy (%) by parameters asked to be removed",
        "PSNR (dB) by parameters asked to be removed",
        "PSNR (dB) on set5, higher is better",
        'alt="accuracy and PSNR against compression"',
        ">28.50<",  # the area
        ">26.00<",  # bicubic
    ):
        assert words in page
    assert "2,8" not in page  # no decibels times 100


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures, instead of their pixels."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *arguments, **options: figures.append(self))
    return figures


def test_every_panel_of_the_figure_has_its_metric_and_range(drawn):
    draw_curves(CURVES, "title")
    one, other = drawn[0].axes
    assert [axes.get_ylabel() for axes in (one, other)] == ["Test accuracy (%)", "Test PSNR (dB)"]
    assert one.get_ylim() == pytest.approx((90.5, 97.5))  # half a percent of room
    assert other.get_ylim() == pytest.approx((26 - 0.162, 28.7 + 0.162))  # 6 % of what is between
    level = {line.get_label(): line.get_linestyle() for line in other.lines if len(set(line.get_ydata())) == 1}
    assert level.keys() >= {"dense", "bicubic"}
    assert level["bicubic"] == "--"


def test_panels_of_one_metric_share_the_range(drawn):
    draw_curves(
        [made_curve(model, {0.2: value}, model=model, metric=RMSE) for model, value in (("a", 1), ("b", 3))], ""
    )
    one, other = drawn[0].axes
    assert one.get_ylim() == other.get_ylim()
    assert (one.get_ylabel(), other.get_ylabel()) == ("Test RMSE (mm)", "")
