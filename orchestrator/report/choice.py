"""Chooses, of many curves, those that figures show: few models, and the best methods. Pure.

Nobody reads a figure of hundreds of panels or lines; the tables have all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from orchestrator.report.panels import MOST_CURVES, MOST_PANELS, Label, divide
from orchestrator.report.styles import MOST_METHODS
from orchestrator.results import Curve

MOST_LEVELS = 4
"""Lines of a panel for networks without a curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The curves that figures show.

    Attributes:
        curves: In the order of the sweep.
        extent: How many models and methods that is, of how many; empty where it is all.
    """

    curves: tuple[Curve, ...]
    extent: str = ""


def choose(curves: Sequence[Curve]) -> Shown:
    """The curves of the best methods on the first models, as many as `MOST_PANELS` panels have room for.

    At every compression of every model, methods are put in order by their primary metric (mean over the seeds); the
    best are those whose mean place is.
    """
    places = _places(curves)
    levels = list(dict.fromkeys(_label(curve) for curve in curves if _is_level(curve)))[:MOST_LEVELS]
    models = dict.fromkeys(_model(curve) for curve in curves)
    best = _fitting(
        sorted(places, key=lambda label: (fmean(places[label]), label)),
        MOST_PANELS // max(1, min(len(models), MOST_PANELS)),
    )
    labels = {*best, *levels}
    measured = dict.fromkeys(_model(curve) for curve in curves if curve.points and _label(curve) in labels)
    first = set([*measured, *models][:MOST_PANELS])
    parts = []
    if len(models) > len(first):
        parts.append(f"{len(first)} of {len(models)} models")
    if len(places) > len(best) or len({_label(curve) for curve in curves if _is_level(curve)}) > len(levels):
        parts.append(f"the best {len(best)} of {len(places)} methods")
    shown = tuple(curve for curve in curves if _model(curve) in first and _label(curve) in labels)
    return Shown(curves=shown, extent=" and ".join(parts)) if parts else Shown(curves=tuple(curves))


def _fitting(ranked: Sequence[Label], num_panels: int) -> list[Label]:
    """As many of the first as so many panels, and as the colours, have room for."""
    for count in range(min(len(ranked), num_panels * MOST_CURVES), 0, -1):
        first = list(ranked[:count])
        if len({method for method, _ in first}) <= MOST_METHODS and len(divide(first)) <= num_panels:
            return first
    return []


def _places(curves: Sequence[Curve]) -> dict[Label, list[float]]:
    """By method: its place among all at each compression of each model, from 0 (first) to 1."""
    costs: dict[tuple[str, str, float], dict[Label, list[float]]] = {}
    for curve in curves:
        for point in () if _is_level(curve) else curve.points:
            here = costs.setdefault((*_model(curve), point.asked), {})
            here.setdefault(_label(curve), []).append(point.primary.cost(point.value))
    places: dict[Label, list[float]] = {}
    for here in costs.values():
        means = {label: fmean(each) for label, each in here.items()}
        for place, label in enumerate(sorted(means, key=means.__getitem__)):
            places.setdefault(label, []).append(place / len(means))
    return places


def _model(curve: Curve) -> tuple[str, str]:
    return curve.plan.model, curve.plan.dataset


def _label(curve: Curve) -> Label:
    return curve.plan.method, curve.plan.protocol


def _is_level(curve: Curve) -> bool:
    return curve.plan.baseline or all(point.compression == 0.0 for point in curve.plan.points)
