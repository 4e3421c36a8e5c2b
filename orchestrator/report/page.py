"""Renders a sweep as one self-contained HTML page, which fetches nothing, so that it can be mailed and archived.

The template is `page.html.j2`. Where scripts do not run, the picture of the curves is what the page has of them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import yaml
from markupsafe import Markup

from orchestrator.planning import PlannedPoint
from orchestrator.report.choice import Shown, choose
from orchestrator.report.comparison import areas
from orchestrator.report.csv_files import all_metric_keys
from orchestrator.report.explorer import explorer_json, scripts
from orchestrator.report.failures import LostPoints
from orchestrator.report.figure import draw_curves
from orchestrator.report.html import Table, template
from orchestrator.report.settings import differing_settings
from orchestrator.report.speed import SpeedSummary, summarize_speed
from orchestrator.report.table import (
    MISSING,
    CurveSummary,
    SummaryRow,
    further_summaries,
    row_name,
    several_protocols,
    summaries,
)
from orchestrator.results import Curve, Point, SweepRecord, by_objective, variant_keys
from orchestrator.results.targets import WORDS, percent, target_of

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # a tenth of the time, where libyaml is there
_MOST_POINTS = 1000
_MOST_NOTES = 50
_LEAST_SCALE = 0.375
"""Of pictures: words of 10 points are 8 pixels high then."""


def html_page(
    record: SweepRecord,
    curves: Sequence[Curve],
    *,
    figure: bytes | None = None,
    patterns: bytes | None = None,
    sweep: str | None = None,
    lost: Sequence[LostPoints] = (),
) -> str:
    """The page of a sweep.

    Args:
        record: The sweep.
        curves: Its curves, as far as measured.
        figure: The figure of the curves as PNG; drawn if it is not given.
        patterns: The figure of the fractions kept as PNG, if there is one.
        sweep: The sweep file as it was run; written if it is not given.
        lost: The failures of its last run.
    """
    target = target_of(record)
    shown = choose(curves)
    points = sum(len(curve.plan.points) for curve in curves)
    notes = [
        (curve.plan.label, percent(point.asked), point.note) for curve in curves for point in curve.points if point.note
    ]
    versions = [*sorted(record.versions.items()), ("git commit", record.git_commit or "unknown")]
    speed = summarize_speed(record, curves)
    return template("page.html.j2").render(
        name=record.name,
        facts=_facts(curves),
        drawn=f"{_labels(curves)} against compression",
        figure=_image(figure or draw_shown(record, shown)),
        explorer=Markup(explorer_json(shown.curves, target)) if any(curve.points for curve in curves) else None,
        scripts=map(Markup, scripts()),
        extent=shown.extent,
        missing=MISSING,
        removed=WORDS[target],
        lost=_lost(lost),
        summaries=[(each, _table(each, target, areas(each))) for each in summaries(curves)],
        others=[
            (each, _table(each, target))
            for primary in (True, False)
            for each in further_summaries(curves, primary=primary)
        ],
        speed=_speed(speed),
        speed_place=speed.place,
        slower=sum(bool(row.slower) for row in speed.rows),
        notes=notes[:_MOST_NOTES],
        more_notes=len(notes[_MOST_NOTES:]),
        patterns=_image(patterns) if patterns else None,
        points=_points(curves if points <= _MOST_POINTS else shown.curves),
        num_points=points,
        settings=_settings(shown.curves),
        sweep=sweep or sweep_yaml(record),
        versions=Table(head=("what", "version"), rows=versions, names=2),
    )


def draw_shown(record: SweepRecord, shown: Shown) -> bytes:
    """The sweep's figure, a PNG."""
    extent = f" ({shown.extent})" if shown.extent else ""
    title = f"{record.name}: {_labels(shown.curves)} after pruning{extent}"
    split = record.split_of(each.plan for each in shown.curves)
    return draw_curves(shown.curves, title, target_of(record), split=split)


def _labels(curves: Sequence[Curve]) -> str:
    """The primary metrics, within a sentence."""
    return " and ".join(dict.fromkeys(objective[0].label for objective in by_objective(curves)))


def sweep_yaml(record: SweepRecord) -> str:
    """The sweep file as it was run: overrides applied, defaults filled in."""
    plain = json.loads(json.dumps(dict(record.spec)))
    return yaml.dump(plain, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)


def _image(png: bytes) -> dict[str, str | int]:
    """A picture of ours within the page, and below how many pixels its words can hardly be read."""
    width = int.from_bytes(png[16:20], "big")  # where a PNG has it
    return {"data": base64.b64encode(png).decode(), "least": round(width * _LEAST_SCALE)}


def _facts(curves: Sequence[Curve]) -> str:
    planned = sum(len(curve.plan.points) for curve in curves)
    points = [point for curve in curves for point in curve.points]
    facts = f"{len(points)} of {planned} points on {len(curves)} curves"
    if not points:
        return facts
    last = datetime.fromtimestamp(max(point.created_s for point in points), UTC)
    return f"{facts}, the last measured {last:%Y-%m-%d %H:%M} UTC"


def _table(summary: CurveSummary, target: str, under: Mapping[SummaryRow, float] | None = None) -> Table:
    """A summary, with the areas under its curves where they are given."""
    head = ["model", "data set", "method", *map(percent, summary.asked)]
    several = several_protocols(summary.rows)
    rows = [[row.model, row.dataset, row_name(row, several), *summary.texts(row, target)] for row in summary.rows]
    if under is not None:
        head.append("area")
        for row, cells in zip(summary.rows, rows, strict=True):
            cells.append(summary.metric.text(under[row]) if row in under else "")
    return Table(head=head, rows=rows, names=3)


def _lost(lost: Sequence[LostPoints]) -> Table:
    """Failures, and what is missing because of them."""
    rows = [
        [each.failures.what, each.failures.cause, each.failures.message, each.words, each.failures.log]
        for each in lost[:_MOST_NOTES]
    ]
    return Table(head=["failed", "cause", "message", "points that are missing", "log"], rows=rows, names=5)


def _speed(summary: SpeedSummary) -> Table:
    names = [(row.candidate, row.texts(summary)) for row in summary.rows]
    rows = [[each.model, each.method, each.protocol, each.removal(summary.target), *texts] for each, texts in names]
    return Table(
        head=["model", "method", "protocol", f"{WORDS[summary.target]} removed", *summary.head], rows=rows, names=3
    )


def _points(curves: Sequence[Curve]) -> Table:
    keys = (*all_metric_keys(curves), *variant_keys(curves))
    head = ["model", "method", "protocol", "seed", "asked", *keys, "task"]
    rows = []
    for curve in curves:
        measured = {point.asked: point for point in curve.points}
        for planned in curve.plan.points:
            names = [curve.plan.model, curve.plan.method, curve.plan.protocol, str(curve.plan.seed)]
            rows.append([*names, *_point_texts(planned, measured.get(planned.compression), keys)])
    return Table(head=head, rows=rows[:_MOST_POINTS], names=3)


def _settings(curves: Sequence[Curve]) -> Table:
    head, rows = differing_settings(curves)
    return Table(head=head, rows=rows, names=len(head))


def _point_texts(planned: PlannedPoint, point: Point | None, keys: Sequence[str]) -> list[str]:
    measured = point.all_metrics if point else {}
    values = [_number(measured[name]) if name in measured else MISSING for name in keys]
    return [percent(planned.compression), *values, planned.key[:12]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
