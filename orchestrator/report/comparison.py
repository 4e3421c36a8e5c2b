"""Compares curves: area under the curve, change to the dense network, Pareto front, fractions kept.

Pure functions of measured points.
"""

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from statistics import fmean

from jobs.metric import Metric
from orchestrator.planning import PlannedCurve
from orchestrator.report.table import CurveSummary, SummaryRow, summaries
from orchestrator.results import Curve, Point, by_objective
from orchestrator.results.dominance import undominated

_name = attrgetter("model", "dataset", "method", "protocol")
"""The fields that identify a curve's row in a summary."""
_control = attrgetter("model", "dataset", "control", "seed")
"""Those of the curve of the dense network that a curve is compared with."""


def areas(summary: CurveSummary) -> dict[SummaryRow, float]:
    """Mean of the primary metric over the compressions that all methods of a model reach: the normalised area.

    Trapezoidal rule on the means over the seeds, from the dense network (or, without it, from the largest of the
    smallest compressions) to the smallest of the largest ones, so that no method gains by stopping early.

    Returns:
        Row -> area, as large as the metric is; rows of a single point, of the dense network, of baselines, and of
        methods that share no range with the others have none.
    """
    found: dict[SummaryRow, float] = {}
    models: dict[tuple[str, str], list[SummaryRow]] = {}
    for row in summary.rows:
        models.setdefault((row.model, row.dataset), []).append(row)
    for rows in models.values():
        dense = {row.control: row.measured[0].value for row in rows if row.is_control and row.measured}
        lines = {row: _line(row, dense.get(row.control)) for row in rows if not row.is_level}
        lines = {row: line for row, line in lines.items() if len(line) > 1}
        if not lines:
            continue
        start = max(line[0][0] for line in lines.values())
        end = min(line[-1][0] for line in lines.values())
        if start < end:
            found |= {row: _area(line, start, end) / (end - start) for row, line in lines.items()}
    return found


def areas_of_curves(curves: Sequence[Curve]) -> dict[PlannedCurve, float]:
    """The area of every curve that has one; the seeds of a method share it."""
    found = {_name(row): area for summary in summaries(curves) for row, area in areas(summary).items()}
    return {curve.plan: found[_name(curve.plan)] for curve in curves if _name(curve.plan) in found}


def _line(row: SummaryRow, dense: float | None) -> list[tuple[float, float]]:
    start = {} if dense is None else {0.0: dense}
    return sorted({**start, **{cell.asked: cell.value for cell in row.measured}}.items())


def _area(line: Sequence[tuple[float, float]], start: float, end: float) -> float:
    inner = [(x, y) for x, y in line if start < x < end]
    corners = [(start, _at(line, start)), *inner, (end, _at(line, end))]
    return sum((x - w) * (y + z) / 2 for (w, z), (x, y) in pairwise(corners))


def _at(line: Sequence[tuple[float, float]], x: float) -> float:
    """The line's height at x, which lies on it."""
    for (left, low), (right, high) in pairwise(line):
        if left <= x <= right:
            return low + (high - low) * (x - left) / (right - left)
    raise ValueError(f"{x} is not between {line[0][0]} and {line[-1][0]}")


def changes_to_dense(curves: Sequence[Curve]) -> dict[str, float]:
    """By a point's key: its primary metric less that of the dense network of the same model, seed and data set.

    Whether the network has gained by that, the metric's direction says. Points whose dense network is not measured are
    absent.
    """
    return {key: change for group in by_objective(curves).values() for key, change in _changes(group).items()}


def _changes(curves: Sequence[Curve]) -> dict[str, float]:
    """Those of curves of one objective."""
    dense = {_control(curve.plan): curve.points[0].value for curve in curves if curve.points and curve.plan.is_control}
    return {
        point.key: point.value - dense[_control(curve.plan)]
        for curve in curves
        if _control(curve.plan) in dense
        for point in curve.points
    }


def pareto_front(curves: Sequence[Curve]) -> frozenset[str]:
    """Keys of the points that no other point of the same model and objective dominates; baselines are no members.

    See `undominated`.
    """
    models: dict[tuple[str, str, Metric], dict[str, Point]] = {}
    for (metric, *_), group in by_objective(curves).items():
        for curve in group:
            if not curve.plan.baseline:
                points = models.setdefault((curve.plan.model, curve.plan.dataset, metric), {})
                points.update({point.key: point for point in curve.points})
    return frozenset(
        key
        for (_, _, metric), points in models.items()
        for key in undominated({key: point.all_metrics for key, point in points.items()}, metric)
    )


def kept_fractions(curves: Sequence[Curve], asked: float, of: str) -> dict[tuple[str, str], dict[str, float]]:
    """(method, protocol) -> channel group or parameter -> the fraction of it that is kept, mean over the seeds.

    Args:
        curves: The curves of one model.
        asked: The target compression; methods not measured there are left out.
        of: `channels` or `weights`.
    """
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for curve in curves:
        for point in curve.points:
            if point.asked == asked and of in point.kept:
                fractions = found.setdefault((curve.plan.method, curve.plan.protocol), {})
                kept = point.kept[of]
                for name, left in kept.left.items():
                    fractions.setdefault(name, []).append(left / kept.full[name])
    return {method: {name: fmean(each) for name, each in fractions.items()} for method, fractions in found.items()}
