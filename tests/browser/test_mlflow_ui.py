"""The address that `orchard run` prints, opened in MLflow's own pages without a click: quality against compression."""

import pytest
from browsing import MARKS, keep_screenshot, open_page
from planned import planned_curve
from servers import free_port

from orchestrator.planning import PlannedPoint
from orchestrator.results import METRICS, Curve, Point, SweepRecord
from orchestrator.tracking import log_sweep
from orchestrator.tracking.server import serving

OTHERS = [f"method{number}" for number in range(9)]
ACCURACIES = {
    **{name: (0.96, 0.94 - number / 50, 0.8 - number / 20) for number, name in enumerate(OTHERS)},
    "l1": (0.9, 0.6, 0.2),
    "random": (0.8, 0.4, 0.1),
}
COMPRESSIONS = (0.2, 0.4, 0.6)
SEEDS = (0, 1)
NAMES = {"net/dense", *(f"net/{method}" for method in ACCURACIES)}  # more than MLflow draws unless told to

pytestmark = MARKS


def make_curve(method: str, seed: int, compressions=COMPRESSIONS) -> Curve:
    planned = tuple(PlannedPoint(compression=asked, key=f"{method}-{seed}-{asked}") for asked in compressions)
    points = tuple(
        Point(
            asked=point.compression,
            key=point.key,
            metrics=dict.fromkeys(METRICS, 1.0)
            | {"accuracy": accuracy - seed / 50, "compression": point.compression and point.compression + 0.01},
            created_s=1_700_000_000.0,
        )
        for point, accuracy in zip(planned, ACCURACIES.get(method, (0.98,)), strict=True)
    )
    plan = planned_curve(method, planned, seed=seed)
    return Curve(plan=plan, points=points)


@pytest.fixture
def address(database):
    """MLflow as `orchard ui` serves it, with a sweep of twelve methods: the address of its charts."""
    curves = [make_curve(method, seed) for method in ACCURACIES for seed in (SEEDS if method == "l1" else SEEDS[:1])]
    curves += [make_curve("dense", seed, (0.0,)) for seed in SEEDS]
    spec = {"methods": {"random": {"criterion": "random"}}}
    record = SweepRecord(name="browsed", spec=spec, curves=tuple(curve.plan for curve in curves))
    tracked = log_sweep(record, curves, tracking_uri=database, ended=True)
    with serving(database, free_port()) as (served, process):
        yield tracked.address.replace("http://127.0.0.1:5000", served)
    assert process.poll() is not None


@pytest.fixture
def page():
    with open_page() as page:
        yield page


def first_chart(page, num_lines: int):
    """The lines of the first chart once it has so many: name -> x and y; and what its x axis is."""
    page.wait_for_function(
        "wanted => { const plot = document.querySelector('.js-plotly-plot');"
        " return plot && plot.data && new Set(plot.data.filter(line => line.x.length).map(line => line.name)).size"
        " == wanted }",
        arg=num_lines,
    )
    chart = page.locator(".js-plotly-plot").first
    lines = chart.evaluate("plot => plot.data.map(line => [line.name, Array.from(line.x), Array.from(line.y)])")
    return {name: (xs, ys) for name, xs, ys in lines}, chart.evaluate("plot => plot.layout.xaxis.title.text")


def test_the_address_shows_all_curves_over_the_compression_reached_without_a_click(address, page):
    page.goto(address)
    lines, axis = first_chart(page, len(NAMES))
    keep_screenshot(page, "mlflow-curves.png")
    assert lines.keys() == NAMES
    assert axis == "reached compression"
    xs, ys = lines["net/l1"]  # the mean of two seeds, where the networks are
    assert (xs, ys) == (pytest.approx([0.21, 0.41, 0.61]), pytest.approx([0.89, 0.59, 0.19]))
    xs, ys = lines["net/dense"]
    assert (xs, ys) == (pytest.approx([0.0, 0.2, 0.4, 0.6]), pytest.approx([0.97] * 4))
    assert page.get_by_test_id("saved-views-trigger").inner_text().strip() == "accuracy against compression"
    listed = page.locator(".ag-row a").all_inner_texts()
    assert listed[:2] == ["net/dense", "net/random"]
    assert page.get_by_role("link", name="accuracy against MACs").is_visible()

    page.goto("about:blank")  # else the view stays
    page.goto(address.partition("&viewStateShareKey")[0])  # as servers before 3.16 show it
    lines, axis = first_chart(page, 10)
    assert (axis, lines["net/dense"][0]) == ("Step", [0, 20, 40, 60])
    assert lines.keys() < NAMES
