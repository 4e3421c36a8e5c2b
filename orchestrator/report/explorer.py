"""The curves to look into in a browser: what `explorer.js` draws, as JSON, and the scripts that draw it. Pure.

Drawn by Bokeh, whose JavaScript comes with its Python package and works offline. It has 1.4 MB, so that a page stays
below 3 MB; plotly's, as its package has it, has 4.8 MB. Only its scripts are read: to import the package takes long.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev

from jobs.identity import Json
from jobs.percent import to_percent
from orchestrator.report.panels import MOST_CURVES
from orchestrator.report.quantities import MACS_REMOVED, Quantity, measured, quantities
from orchestrator.report.styles import Style, level_styles, styles_of
from orchestrator.report.table import SummaryRow, protocols_told, row_name, summaries
from orchestrator.results import Curve, Point

_LIBRARY = ("bokeh.min.js", "bokeh-api.min.js")
_DEFAULT_X = {"parameters": "compression", "macs": MACS_REMOVED, "latency": "speedup_predicted"}
_SIGNIFICANT = 6
"""Digits of a number: what is read has at most five."""


def explorer_json(curves: Sequence[Curve], target: str) -> str:
    """What there is to look into, as JSON that may stand within a script element.

    Args:
        curves: The curves; those without points are left out.
        target: What compressions are fractions of: the first horizontal axis.
    """
    axes = quantities(curves)
    rows = [row for summary in summaries(curves) for row in summary.rows if row.measured]
    styles = styles_of((row.method, row.protocol) for row in rows if not row.is_level)
    styles |= level_styles((row.method, row.protocol) for row in rows if row.is_level)
    several = protocols_told(rows)
    members: dict[tuple[str, str, str, str], list[Curve]] = {}
    for curve in curves:
        plan = curve.plan
        members.setdefault((plan.model, plan.dataset, plan.method, plan.protocol), []).append(curve)
    models: dict[tuple[str, str, str], list[Json]] = {}
    for row in rows:
        mine = members[row.model, row.dataset, row.method, row.protocol]
        line = _line(row, row_name(row, several), styles[row.method, row.protocol], mine, axes)
        models.setdefault((row.model, row.dataset, row.metric.name), []).append(line)
    keys = [axis.key for axis in axes]
    document: Json = {
        "axes": [asdict(axis) for axis in axes],
        "x": _DEFAULT_X[target] if _DEFAULT_X[target] in keys else "compression",
        "most": MOST_CURVES,
        "models": [
            {"name": f"{model} on {dataset}", "y": metric, "curves": lines}
            for (model, dataset, metric), lines in models.items()
        ],
    }
    return (
        json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/").replace("<!", "<\\u0021")
    )


@cache
def scripts() -> tuple[str, ...]:
    """The texts of the scripts, the library first."""
    spec = find_spec("bokeh")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("bokeh is not installed; install Orchard again", name="bokeh")
    library = Path(spec.submodule_search_locations[0]) / "server" / "static" / "js"
    paths = [*(library / name for name in _LIBRARY), Path(__file__).with_name("explorer.js")]
    return tuple(path.read_text(encoding="utf-8") for path in paths)


def _line(row: SummaryRow, name: str, style: Style, curves: Sequence[Curve], axes: Sequence[Quantity]) -> Json:
    """One curve: its points are means over the seeds."""
    points = []
    for cell in row.measured:
        here = [point for curve in curves for point in curve.points if point.asked == cell.asked]
        points.append(_point(cell.asked, here, cell.num_planned, axes))
    return {
        "name": name,
        "color": style.color,
        "dashes": list(style.dashes),
        "marker": style.marker,
        "level": row.is_level,
        "baseline": row.baseline,
        "points": points,
    }


def _point(asked: float, points: Sequence[Point], num_planned: int, axes: Sequence[Quantity]) -> Json:
    values = [measured(point.all_metrics.items()) for point in points]
    means, deviations = [], []
    for axis in axes:
        found = [each[axis.key] for each in values if axis.key in each]
        means.append(_short(fmean(found)) if found else None)
        deviations.append(_short(stdev(found)) if len(found) > 1 else None)
    return {
        "asked": to_percent(asked),
        "seeds": f"{len(points)} of {num_planned}",
        "mean": means,
        "deviation": deviations,
        "note": next((point.note for point in points if point.note), ""),
        "kept": {of: _kept(points, of) for of in ("channels", "weights") if any(of in each.kept for each in points)},
    }


def _kept(points: Sequence[Point], of: str) -> Json:
    """Name, number kept, number in the dense network, of every group or parameter.

    Both are means over the same networks: those of several models, taken together by a label, differ in their widths.
    """
    numbers: dict[str, list[tuple[int, int]]] = {}
    for kept in (point.kept[of] for point in points if of in point.kept):
        for name, full in kept.full.items():
            numbers.setdefault(name, []).append((kept.left[name], full))
    return [[name, *(_short(fmean(each)) for each in zip(*pairs, strict=True))] for name, pairs in numbers.items()]


def _short(value: float) -> float | None:
    """A number without digits that nobody reads; None where it is none."""
    short = float(f"{value:.{_SIGNIFICANT}g}")
    return short if abs(short) != float("inf") and short == short else None
