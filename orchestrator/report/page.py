"""One HTML page that holds a whole sweep: no link, no script, nothing fetched, so that it can be mailed and kept.

This module refuses to know how a figure is drawn or a mean is taken; it only lays out what the others give.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

import yaml

from jobs.metric import Metric
from orchestrator.planning import PlannedPoint
from orchestrator.report.comparison import areas
from orchestrator.report.figure import draw_curves
from orchestrator.report.table import MISSING, Summary, percent, row_name, summarize
from orchestrator.results import Curve, Point, SweepRecord, metric_keys, objective_of

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --muted: #59636e; --line: #d8dee4; --soft: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6e9ec; --muted: #9aa4ae; --line: #333b44; --soft: #1c2229; }
}
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  max-width: 68rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.facts { color: var(--muted); margin: .3rem 0 1.5rem; }
img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 8px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--muted); font-weight: 600; } .number { text-align: right; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; overflow-x: auto; }
summary { cursor: pointer; font-size: 1.15rem; font-weight: 600; margin: 2.2rem 0 .6rem; }
"""


def html_page(
    record: SweepRecord, curves: Sequence[Curve], *, figure: bytes | None = None, patterns: bytes | None = None
) -> str:
    """The page of a sweep.

    Args:
        record: What the sweep asked for.
        curves: What it has measured so far.
        figure: The figure as PNG, where it is drawn already.
        patterns: The figure of what is kept of which layer, where there is one.
    """
    name, summary = escape(record.name), summarize(curves)
    metric = summary.metric
    drawn = figure or draw_curves(curves, figure_title(record, metric))
    versions = [[library, version] for library, version in sorted(record.versions.items())]
    versions.append(["git commit", record.git_commit or "unknown"])
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            f'<h1>{name}</h1>\n<p class="facts">{escape(_facts(curves))}</p>',
            _image(escape(f"{metric.title} against compression"), drawn),
            f"<h2>{escape(metric.heading)} by compression asked for</h2>",
            f"<p>Mean ± standard deviation over the seeds. (1/2): one of two is measured; {MISSING}: none is."
            f" Area: mean {escape(metric.label)} over the compressions that all methods of a model reach.</p>",
            _summary(summary),
            _notes(curves),
            _folded("What is kept of which layer", _image("What is kept", patterns)) if patterns else "",
            _folded("All points", _points(curves)),
            _folded("The sweep file", f"<pre>{escape(sweep_yaml(record))}</pre>"),
            _folded("Versions", _table(["what", "version"], versions)),
            "</body>\n</html>\n",
        ]
    )


def figure_title(record: SweepRecord, metric: Metric) -> str:
    """What stands above the sweep's figure."""
    return f"{record.name}: {metric.label} after pruning"


def sweep_yaml(record: SweepRecord) -> str:
    """The sweep file as it was run: overrides applied, defaults filled in."""
    plain = json.loads(json.dumps(dict(record.spec)))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _image(words: str, png: bytes) -> str:
    return f'<img alt="{words}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _facts(curves: Sequence[Curve]) -> str:
    planned = sum(len(curve.plan.points) for curve in curves)
    points = [point for curve in curves for point in curve.points]
    facts = f"{len(points)} of {planned} points on {len(curves)} curves"
    if not points:
        return facts
    last = datetime.fromtimestamp(max(point.created_s for point in points), UTC)
    return f"{facts}, the last measured {last:%Y-%m-%d %H:%M} UTC"


def _summary(summary: Summary) -> str:
    under = areas(summary)
    head = ["model", "data set", "method", *map(percent, summary.asked), "area"]
    rows = [
        [
            row.model,
            row.dataset,
            row_name(row, summary.rows),
            *summary.texts(row),
            summary.metric.text(under[row]) if row in under else "",
        ]
        for row in summary.rows
    ]
    return _table(head, rows, first_number=3)


def _notes(curves: Sequence[Curve]) -> str:
    notes = [
        f"<li>{escape(curve.plan.label)} at {percent(point.asked)}: {escape(point.note)}</li>"
        for curve in curves
        for point in curve.points
        if point.note
    ]
    if not notes:
        return ""
    return "<h2>Where the compression reached is not the one asked for</h2>\n<ul>" + "\n".join(notes) + "</ul>"


def _points(curves: Sequence[Curve]) -> str:
    keys = metric_keys(objective_of(curves))
    head = ["model", "method", "protocol", "seed", "asked", *keys, "task"]
    rows = []
    for curve in curves:
        measured = {point.asked: point for point in curve.points}
        for planned in curve.plan.points:
            names = [curve.plan.model, curve.plan.method, curve.plan.protocol, str(curve.plan.seed)]
            rows.append([*names, *_point_texts(planned, measured.get(planned.compression), keys)])
    return _table(head, rows, first_number=3)


def _point_texts(planned: PlannedPoint, point: Point | None, keys: Sequence[str]) -> list[str]:
    values = [_number(point.metrics[name]) if point and name in point.metrics else MISSING for name in keys]
    return [percent(planned.compression), *values, planned.key[:12]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, first_number: int = 99) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        classes = ['class="number"' if column >= first_number else "" for column in range(len(cells))]
        parts = [f"<{tag} {kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, classes, strict=True)]
        return f"<tr>{''.join(parts)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>\n<thead>{line(head, "th")}</thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _folded(title: str, content: str) -> str:
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}\n</details>"
