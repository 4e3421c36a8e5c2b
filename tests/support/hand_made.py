"""Curves made by hand, whose means and deviations can be had by hand."""

from planned import planned_curve

from orchestrator.planning import PlannedPoint
from orchestrator.results import METRICS, Curve, Point, SweepRecord


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
    """The record of a sweep that has these curves."""
    spec = {"name": name, "seeds": [0, 1], "models": {"net": {"network": "resnet"}}}
    plans = tuple(curve.plan for curve in curves)
    return SweepRecord(name=name, spec=spec, curves=plans, git_commit="c0ffee", versions={"torch": "2.15.0"})
