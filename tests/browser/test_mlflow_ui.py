"""The curves of a sweep as MLflow's own pages show them: overlaid in one chart, compression along the x axis."""

import pytest
from browsing import MARKS, keep_screenshot, open_page
from servers import mlflow_server

from orchestrator.planning import PlannedCurve, PlannedPoint
from orchestrator.results import METRICS, Curve, Point, SweepRecord
from orchestrator.tracking import log_sweep
from orchestrator.tracking.address import ui_address

ACCURACIES = {"l1": (0.9, 0.6, 0.2), "integral": (0.95, 0.9, 0.7)}
COMPRESSIONS = (0.2, 0.4, 0.6)
NAMES = {f"net/{method}/seed{seed}" for method in ACCURACIES for seed in (0, 1)}

pytestmark = MARKS


def make_curve(method: str, seed: int) -> Curve:
    planned = tuple(PlannedPoint(compression=asked, key=f"{method}-{seed}-{asked}") for asked in COMPRESSIONS)
    points = tuple(
        Point(
            asked=point.compression,
            key=point.key,
            metrics=dict.fromkeys(METRICS, 1.0) | {"accuracy": accuracy - seed / 50, "compression": point.compression},
            created_s=1_700_000_000.0,
        )
        for point, accuracy in zip(planned, ACCURACIES[method], strict=True)
    )
    plan = PlannedCurve(model="net", dataset="digits", method=method, protocol="none", seed=seed, points=planned)
    return Curve(plan=plan, points=points)


@pytest.fixture
def server(database):
    """A database with one sweep of four curves, and MLflow's server on it: the address of the sweep's charts."""
    curves = [make_curve(method, seed) for method in ACCURACIES for seed in (0, 1)]
    record = SweepRecord(name="browsed", spec={}, curves=tuple(curve.plan for curve in curves))
    tracked = log_sweep(record, curves, tracking_uri=database)
    with mlflow_server(database) as address:
        yield ui_address(address, tracked.experiment_id)


@pytest.fixture
def page():
    with open_page() as page:
        yield page


def test_all_curves_lie_in_one_chart_of_accuracy_against_compression(server, page):
    page.goto(server)
    page.locator(".ag-row", has_text="browsed").locator("button").first.click()  # the plus sign: open the sweep
    page.get_by_placeholder("Search metric charts").fill("accuracy")
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    card = cards.filter(has=page.get_by_text("accuracy", exact=True))  # beside it is that of accuracy_best
    card.locator(".scatterlayer .trace path.js-line").nth(len(NAMES) - 1).wait_for()
    keep_screenshot(page, "mlflow-curves.png")

    assert card.count() == 1
    chart = card.locator(".js-plotly-plot")
    traces = chart.evaluate("plot => plot.data.map(trace => [trace.name, Array.from(trace.x), Array.from(trace.y)])")
    lines = {name: (steps, values) for name, steps, values in traces}
    assert set(lines) == NAMES
    assert all(steps == [20, 40, 60] for steps, _ in lines.values())  # the compression asked for, in percent
    assert lines["net/integral/seed1"][1] == pytest.approx([0.93, 0.88, 0.68])
    assert chart.evaluate("plot => plot.layout.xaxis.title.text") == "Step"

    card.locator('[data-component-id="fullscreen_button_chartcard"]').click()
    page.get_by_role("dialog").locator(".scatterlayer .trace path.js-line").nth(len(NAMES) - 1).wait_for()
    keep_screenshot(page, "mlflow-curves-large.png")
