"""The page of a report."""

import dataclasses
from html.parser import HTMLParser

from hand_made import make_curve, make_record

from jobs.metric import Metric
from orchestrator.report import html_page
from orchestrator.results import EARLIER


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


def test_the_page_says_what_it_leaves_out_and_its_tables_of_results_leave_out_none(many, monkeypatch):
    monkeypatch.setattr("orchestrator.report.page._MOST_POINTS", 100)
    text = Page(html_page(make_record(*many), many, figure=b"png")).text
    assert "The figures show 12 of 20 models and the best 12 of 20 methods" in text
    assert "100 of 420 points; points.csv has all." in text
    assert "and 350 more, in points.csv" in text
    assert "net19" in text
