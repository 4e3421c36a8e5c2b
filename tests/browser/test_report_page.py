"""The report as a reader opens it: a file, offline, in a real browser, wide and on a phone."""

from dataclasses import replace

import pytest
from browsing import MARKS, keep_screenshot, open_page
from planned import planned_curve

from orchestrator.planning import PlannedPoint
from orchestrator.report import html_page
from orchestrator.results import METRICS, Curve, Kept, Point, SweepRecord

ASKED = (0.2, 0.4, 0.6)
METHODS = [f"method{number:02}" for number in range(14)]

pytestmark = MARKS

POINT = """([name, asked]) => {
  const view = [...Bokeh.index.roots][0], box = view.canvas.el.getBoundingClientRect();
  const drawn = view.model.renderers.map(each => each.data_source.data).find(each => each.tip);
  const at = [...drawn.tip].findIndex(tip => tip.includes(`<b>${name} at ${asked} %</b>`));
  return [box.left + view.frame.x_scale.compute(drawn.x[at]), box.top + view.frame.y_scale.compute(drawn.y[at])];
}"""
"""Where a point is on the screen."""

DRAWN = """() => {
  const figure = [...Bokeh.index.roots][0].model, of = figure.renderers.map(each => each.data_source.data);
  const points = of.find(each => each.tip), front = of.find(each => Object.keys(each).join() === "x,y");
  const names = [...points.tip].map(tip => tip.match(/<b>(.*?)(?: at .*)?<.b>/)[1]);
  return {names: [...new Set(names)], x: figure.below[0].axis_label, y: figure.left[0].axis_label,
    front: [...front.x].map((x, at) => [x, front.y[at]])};
}"""
"""What the figure shows: names of curves, labels of axes, the Pareto front."""


def make_curve(model: str, method: str, number: int, asked=ASKED) -> Curve:
    planned = tuple(PlannedPoint(compression=each, key=f"{model}{method}{each}") for each in asked)
    plan = planned_curve(method, planned, model=model)
    points = tuple(
        Point(
            asked=each.compression,
            key=each.key,
            metrics=dict.fromkeys(METRICS, 1.0)
            | {
                "accuracy": 0.95 - each.compression * (1 + number) / 20,
                "compression": each.compression,
                "macs": 1e6 * (1 - each.compression / 2),
                "loss": 0.1 + each.compression,
            },
            created_s=1.0,
            kept={"channels": Kept(left={"conv<1>": 16 - number}, full={"conv<1>": 16})},
        )
        for each in planned
    )
    return Curve(plan=plan, points=points)


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    curves = [make_curve(model, name, number) for model in ("net", "other") for number, name in enumerate(METHODS)]
    dense = make_curve("net", "dense", 0, (0.0,))
    curves += [replace(dense, points=tuple(replace(each, kept={}) for each in dense.points))]
    record = SweepRecord(name="sweep", spec={"name": "sweep"}, curves=tuple(curve.plan for curve in curves))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_page(record, curves, figure=b"png"))
    return f"file://{path}"


@pytest.fixture(scope="module")
def page(address):
    """The page at 1280 pixels; whatever it asks the network for fails the test."""
    asked = []
    with open_page() as page:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.goto(address)
        page.wait_for_function("() => window.Bokeh && [...Bokeh.index.roots].length > 0")
        yield page
    assert [each for each in asked if not each.startswith(("file://", "data:"))] == []


def test_curves_can_be_looked_into(page):
    drawn = page.evaluate(DRAWN)
    assert drawn["names"] == [*METHODS[:12], "dense"]  # a dozen, the best, are shown at first
    assert (drawn["x"], drawn["y"]) == ("Parameters removed (%)", "Accuracy (%)")

    page.wait_for_timeout(300)  # until it is laid out
    x, y = page.evaluate(POINT, ["method11", 60])
    page.mouse.move(x + 40, y - 40)
    page.mouse.move(x, y)
    tip = page.locator(".bk-Tooltip")
    tip.get_by_text("method11 at 60 %").wait_for()
    tip.get_by_text("59.00").wait_for()  # 95 - 60 * 12 / 20
    page.mouse.click(x, y)
    chosen = page.locator("[data-part=point]")
    chosen.get_by_role("heading", name="method11 at 60 %").wait_for()
    assert "conv<1>" in chosen.inner_text()
    assert "5 of 16" in chosen.inner_text()
    keep_screenshot(page, "report.png")

    page.get_by_label("method00").uncheck()
    page.get_by_label("method13").check()
    assert page.evaluate(DRAWN)["names"] == [*METHODS[1:12], "method13", "dense"]
    page.get_by_role("button", name="hide all").click()
    page.get_by_label("method01").check()
    page.get_by_label("method02").check()
    page.get_by_label("Pareto front").check()
    points = [[20, pytest.approx(93)], [40, pytest.approx(91)], [60, pytest.approx(89)]]
    assert page.evaluate(DRAWN)["front"] == points  # those of method01

    page.locator("[data-part=x]").select_option(label="MACs (million)")
    page.locator("[data-part=y]").select_option(label="Loss")
    drawn = page.evaluate(DRAWN)
    assert (drawn["x"], drawn["y"]) == ("MACs (million)", "Loss")
    assert drawn["front"] == [
        [pytest.approx(macs), pytest.approx(loss)] for macs, loss in ((0.7, 0.7), (0.8, 0.5), (0.9, 0.3))
    ]

    page.locator("[data-part=model]").select_option(label="other on digits")
    assert page.evaluate(DRAWN)["names"] == METHODS[:12]


def test_nothing_is_cut_off_wide_or_on_a_phone(page):
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(300)  # until the figure has its new size
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            "() => [...document.querySelectorAll('table')].filter(each => each.offsetWidth > each.parentElement"
            ".clientWidth && getComputedStyle(each.parentElement).overflowX !== 'auto').length"
        )
        assert cut == 0
        keep_screenshot(page, f"report-{width}.png")
