"""The report of hand-made curves, whose means and deviations can be had by hand."""

import csv
import dataclasses
import io
import math
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from matplotlib.image import imread
from matplotlib.mathtext import MathTextParser
from planned import planned_curve
from rich.console import Console

from jobs.metric import OCCASIONAL_KEYS, Metric
from orchestrator.planning import PlannedPoint
from orchestrator.report import (
    draw_curves,
    html_page,
    points_csv,
    report_files,
    summarize,
    summary_tables,
    write_report,
)
from orchestrator.report.choice import choose
from orchestrator.report.panels import MOST_CURVES, MOST_PANELS
from orchestrator.report.patterns import draw_patterns
from orchestrator.report.table import protocols_told
from orchestrator.results import EARLIER, METRICS, Curve, Kept, Point, SweepRecord
from orchestrator.results.orders import GroupOrder


def make_curve(method: str, seed: int, accuracies: dict[float, float | None], *, model="net", protocol="none", note=""):
    """A curve by compression asked for; None is a point that is not measured yet."""
    keys = {asked: f"{method}-{seed}-{asked}" for asked in accuracies}
    planned = tuple(PlannedPoint(compression=asked, key=keys[asked]) for asked in accuracies)
    plan = planned_curve(method, planned, seed=seed, model=model, protocol=protocol)
    points = tuple(
        Point(
            asked=asked,
            key=keys[asked],
            metrics=dict.fromkeys(METRICS, 1234.5) | {"accuracy": accuracy, "compression": asked + seed / 100},
            created_s=1_700_000_000.25,
            note=note,
        )
        for asked, accuracy in accuracies.items()
        if accuracy is not None
    )
    return Curve(plan=plan, points=points)


def make_record(*curves: Curve, name="quick") -> SweepRecord:
    spec = {"name": name, "seeds": [0, 1], "models": {"net": {"network": "resnet"}}}
    plans = tuple(curve.plan for curve in curves)
    return SweepRecord(name=name, spec=spec, curves=plans, git_commit="c0ffee", versions={"torch": "2.15.0"})


@pytest.fixture
def curves() -> tuple[Curve, ...]:
    return (
        make_curve("dense", 0, {0.0: 0.98}),
        make_curve("dense", 1, {0.0: 0.96}),
        make_curve("l1", 0, {0.2: 0.9, 0.4: 0.5}),
        make_curve("l1", 1, {0.2: 0.8, 0.4: None}),
        make_curve("integral", 0, {0.2: 0.95, 0.4: None}),
        make_curve("integral", 1, {0.2: 0.95, 0.4: None}),
    )


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


def row(curves, method: str):
    return next(row for row in summarize(curves).rows if row.method == method)


def test_mean_and_sample_deviation_over_the_seeds(curves):
    cell = row(curves, "l1").cells[0]
    assert cell.value == pytest.approx(0.85)  # (0.9 + 0.8) / 2
    assert cell.deviation == pytest.approx(math.sqrt(0.005))  # ((0.05)^2 + (0.05)^2) / (2 - 1)
    assert cell.reached == pytest.approx(0.205)  # (0.20 + 0.21) / 2
    assert str(cell) == "85.0 ± 7.1"


def test_a_point_of_one_seed_of_two_says_so(curves):
    assert str(row(curves, "l1").cells[1]) == "50.0 (1/2)"


def test_missing_is_a_dash_and_never_asked_for_is_blank(curves):
    summary = summarize(curves)
    assert summary.asked == (0.0, 0.2, 0.4)
    assert summary.texts(row(curves, "integral")) == ["", "95.0 ± 0.0", "—"]
    assert summary.texts(row(curves, "dense")) == ["97.0 ± 1.4", "", ""]


def test_only_what_was_asked_to_remove_nothing_is_dense(curves):
    assert [row.method for row in summarize(curves).rows if row.dense] == ["dense"]


def test_same_method_with_two_protocols_gives_two_rows():
    curves = [make_curve("l1", 0, {0.2: 0.5}), make_curve("l1", 0, {0.2: 0.7}, protocol="finetune")]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables(curves))
    text = console.export_text()
    assert "l1 · none" in text
    assert "l1 · finetune" in text


def test_a_figure_names_protocols_but_none_where_it_shows_several():
    curves = [make_curve(name, 0, {0.2: 0.5}, protocol=protocol) for name, protocol in (("l1", "none"), ("l2", "ft"))]
    assert protocols_told(summarize(curves).rows) == {"l2"}
    assert protocols_told(summarize(curves[1:]).rows) == set()


def test_terminal_table_of_five_methods_fits_80_columns(curves):
    more = [make_curve(name, seed, {0.2: 0.123}) for name in ("random", "integral-tuned") for seed in (0, 1)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables([*curves, *more]))
    text = console.export_text()
    assert "integral-tuned" in text
    assert "85.0±7.1" in text
    assert "…" not in text


def test_terminal_table_takes_names_as_they_are():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*summary_tables([make_curve("[red]x", 0, {0.2: 0.5})]))
    assert "[red]x" in console.export_text()


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


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(imread(io.BytesIO(png), format="png"))[..., :3]


def has_color(image: np.ndarray, color: str) -> bool:
    wanted = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return bool((np.abs(image - wanted).max(axis=-1) < 0.01).any())


def test_figure_is_a_png_with_every_method_in_its_colour(curves):
    image = pixels(draw_curves(curves, "title"))
    assert image.shape[0] > 500
    assert image.shape[1] > 800
    assert has_color(image, "#009E73")  # l1
    assert has_color(image, "#0072B2")  # integral, as a line and as its name
    assert not has_color(image, "#D55E00")  # integral-tuned is not in it


def test_figure_is_the_same_whenever_it_is_drawn(curves):
    assert draw_curves(curves, "title") == draw_curves(curves, "title")


def test_a_panel_more_makes_the_figure_wider(curves):
    other = [make_curve("l1", 0, {0.2: 0.9}, model="other")]
    assert pixels(draw_curves([*curves, *other], "t")).shape[1] > pixels(draw_curves(curves, "t")).shape[1]


@pytest.mark.parametrize("name", ["$_$", "prices $5-$10", r"\$5 $6 $7"])
def test_names_with_dollar_signs_are_no_formulas(name, monkeypatch):
    typeset = []
    monkeypatch.setattr(MathTextParser, "parse", lambda self, words, *others: typeset.append(words))
    curve = make_curve(name, 0, {0.2: 0.9, 0.4: 0.5}, model=name, protocol=name)
    layers = {"channels": Kept(left={name: 3}, full={name: 4})}
    metric = Metric(name="accuracy", label=name, direction="higher", unit=name)
    points = tuple(dataclasses.replace(each, kept=layers, objective=(metric,)) for each in curve.points)
    curve = dataclasses.replace(curve, points=points)
    draw_curves([curve], name)
    draw_patterns([curve], name)
    assert not typeset


@pytest.mark.parametrize("curves", [[], [make_curve("l1", 0, {0.2: None})], [make_curve("dense", 0, {0.0: 0.9})]])
def test_figure_of_little_is_drawn_too(curves):
    assert pixels(draw_curves(curves, "title")).min() < 0.5  # some ink


def test_ten_own_methods_are_drawn():
    assert draw_curves([make_curve(f"mine{index}", 0, {0.1: 0.9, 0.2: 0.8}) for index in range(10)], "title")


class Page(HTMLParser):
    """Collects what a page would fetch, its text and the tags left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_fetches_nothing(curves):
    text = html_page(make_record(*curves), curves)
    page = Page(text)
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert len(page.addresses) == 1
    assert not {"link", "iframe"} & set(page.tags)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert len(text) < 3_000_000
    assert page.open == []


def test_page_escapes_what_others_named():
    curves = (make_curve("<script>alert(1)</script>", 0, {0.2: 0.5}, note="<b>wide</b> & more"),)
    page = Page(html_page(make_record(*curves, name="a<i>b"), curves))
    assert not {"b", "i"} & set(page.tags)
    assert page.tags.count("script") == 4  # ours: the data, the library in two parts, what draws
    assert "<script>alert(1)</script>" in page.text
    assert "<b>wide</b> & more" in page.text


def test_page_tells_versions_commit_notes_and_missing_points(curves):
    curves = (*curves, make_curve("random", 0, {0.6: 0.1}, note="reached 0.52: the narrowest group has 8 channels"))
    text = Page(html_page(make_record(*curves), curves)).text
    for part in ("c0ffee", "2.15.0", "reached 0.52", "—", "8 of 11 points", "network: resnet", "2023-11-14 22:13 UTC"):
        assert part in text


def test_page_has_a_table_of_every_other_metric_in_its_unit(curves):
    other = Metric(name="error", label="error", direction="lower", unit="%", scale=100.0, digits=1)
    changed = [
        dataclasses.replace(
            curve,
            points=tuple(
                dataclasses.replace(
                    point, objective=(*EARLIER, other), metrics={**point.metrics, "error": 0.05 + curve.plan.seed / 50}
                )
                for point in curve.points
            ),
        )
        for curve in curves
    ]
    text = Page(html_page(make_record(*curves), changed)).text
    assert "Error (%), lower is better" in text
    # Seeds 0 and 1: 5 and 7; of integral at 40 % nothing is measured, of l1 there seed 0.
    assert "6.0 ± 1.4" in text
    assert "5.0 (1/2)" in text
    assert "lower is better" not in html_page(make_record(*curves), curves)


def test_page_has_no_heading_for_notes_where_there_are_none(curves):
    assert "What to know of single points" not in html_page(make_record(*curves), curves)


def test_page_has_each_point_in_its_own_row():
    curves = (make_curve("l1", 0, {0.2: 0.875, 0.4: 0.625}),)
    shared_key = dataclasses.replace(curves[0].points[1], key=curves[0].points[0].key)
    curves = (dataclasses.replace(curves[0], points=(curves[0].points[0], shared_key)),)
    text = Page(html_page(make_record(*curves), curves)).text
    assert "0.875" in text
    assert "0.625" in text


def test_page_sets_numbers_apart_from_names(curves):
    text = html_page(make_record(*curves), curves)
    assert "<td>l1</td>" in text
    assert '<th class="number">area</th>' in text
    assert '<td class="number">1,234</td>' in text
    assert "<td>c0ffee</td>" in text  # of the versions none is a number


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


@pytest.fixture(scope="module")
def many():
    methods = [f"m{number:02}" for number in range(20)]
    return [
        make_curve(method, 0, {0.2: 0.9 - index / 100}, model=f"net{model:02}", note="as near as can be")
        for model in range(20)
        for index, method in enumerate(methods)
    ] + [make_curve("dense", 0, {0.0: 0.98}, model=f"net{model:02}") for model in range(20)]


class TestManyCurves:
    """Twenty models and twenty methods: nobody reads four hundred lines."""

    def test_figures_show_the_best_methods_on_the_first_models(self, many):
        shown = choose(many)
        names = dict.fromkeys(curve.plan.method for curve in shown.curves)
        assert [*names] == [*(f"m{number:02}" for number in range(MOST_CURVES)), "dense"]
        assert {curve.plan.model for curve in shown.curves} == {f"net{number:02}" for number in range(MOST_PANELS)}
        assert shown.extent == "12 of 20 models and the best 12 of 20 methods"

    def test_a_methods_place_counts_where_it_was_measured(self):
        """One that is measured at its best point alone is not worse for that."""
        models = [f"net{number}" for number in range(MOST_PANELS)]
        curves = [
            make_curve(f"m{n:02}", 0, {0.2: 0.9, 0.4: 0.5 - n / 100}, model=model)
            for n in range(MOST_CURVES)
            for model in models
        ]
        late = make_curve("late", 0, {0.2: None, 0.4: 0.6}, model="net3")
        assert late in choose([*curves, late]).curves

    def test_one_model_has_as_many_panels_as_several(self):
        """Three times twelve methods, each with a colour of its own."""
        curves = [make_curve(f"m{n:02}", 0, {0.2: 0.9 - n / 100}) for n in range(40)]
        assert choose(curves).extent == "the best 36 of 40 methods"

    def test_few_are_all_shown(self, curves):
        assert (choose(curves).curves, choose(curves).extent) == (curves, "")

    def test_the_page_says_what_it_leaves_out_and_its_tables_of_results_leave_out_none(self, many, monkeypatch):
        monkeypatch.setattr("orchestrator.report.page._MOST_POINTS", 100)
        text = Page(html_page(make_record(*many), many, figure=b"png")).text
        assert "The figures show 12 of 20 models and the best 12 of 20 methods" in text
        assert "100 of 420 points; points.csv has all." in text
        assert "and 350 more, in points.csv" in text
        assert "net19" in text
