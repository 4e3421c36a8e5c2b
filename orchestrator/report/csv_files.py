"""Tables of a sweep as CSV: every point, the areas under curves, what networks keep, channel orders. Pure."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields

from jobs.metric import COMMON_KEYS, OCCASIONAL_KEYS
from orchestrator.report.labelled import labels_of
from orchestrator.report.table import SummaryRow
from orchestrator.results import Curve, SweepRecord, by_objective, metric_keys, variant_keys
from orchestrator.results.orders import GroupOrder


def orders_csv(orders: Sequence[GroupOrder]) -> str:
    """The quality of the channel orders as CSV: a row per curve and channel group, the fields of `GroupOrder`."""
    text = io.StringIO()
    rows = csv.DictWriter(text, [field.name for field in fields(GroupOrder)], lineterminator="\n")
    rows.writeheader()
    rows.writerows(map(asdict, orders))
    return text.getvalue()


def points_csv(
    record: SweepRecord, curves: Sequence[Curve], changes: Mapping[str, float], front: Collection[str]
) -> str:
    """Every measured point as one CSV row; floats round-trip exactly.

    Args:
        record: The sweep.
        curves: Its curves.
        changes: By a point's key: its primary metric less that of the dense network.
        front: Keys of the points on the Pareto front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["sweep", "model", "dataset", "method", "protocol", "seed", "asked"]
    points = [point for curve in curves for point in curve.points]
    averaged = dict.fromkeys(name for each in points if (name := each.primary.ema_name) in each.metrics)
    keys = (*all_metric_keys(curves), *averaged, *OCCASIONAL_KEYS, *variant_keys(curves))
    primaries = list(dict.fromkeys(objective[0].name for objective in by_objective(curves)))
    changed = [f"{name}_change" for name in primaries]
    labels = labels_of(curves)
    writer.writerow([*head, *(f"label.{name}" for name in labels), *keys, *changed, "pareto", "digest", "key", "note"])
    for curve in curves:
        plan = curve.plan
        for point in curve.points:
            names = [record.name, plan.model, plan.dataset, plan.method, plan.protocol, plan.seed]
            measured = point.all_metrics
            values = [measured.get(name, "") for name in keys]
            compared = [changes.get(point.key, "") if name == point.primary.name else "" for name in primaries]
            on_front = "yes" if point.key in front else "no"
            own = [plan.labels.get(name, "") for name in labels]
            row = [*names, point.asked, *own, *values, *compared, on_front, point.digest, point.key, point.note]
            writer.writerow(row)
    return text.getvalue()


def all_metric_keys(curves: Sequence[Curve]) -> tuple[str, ...]:
    """The `metric_keys` of all objectives, those that all points share last."""
    own = (name for objective in by_objective(curves) for name in metric_keys(objective) if name not in COMMON_KEYS)
    return (*dict.fromkeys(own), *COMMON_KEYS)


def kept_csv(curves: Sequence[Curve]) -> str:
    """What every pruned network keeps, as CSV: a row per point and channel group, or per point and parameter."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "method", "protocol", "seed", "asked", "of", "name", "left", "full"])
    for curve in curves:
        plan = curve.plan
        for point in curve.points:
            names = [plan.model, plan.method, plan.protocol, plan.seed, point.asked]
            for of, kept in point.kept.items():
                writer.writerows([*names, of, name, left, kept.full[name]] for name, left in kept.left.items())
    return text.getvalue()


def areas_csv(areas: Mapping[SummaryRow, float]) -> str:
    """The area under every curve, in the metric as stored, best first within a model."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "dataset", "method", "protocol", "metric", "area"])
    for row in sorted(areas, key=lambda row: (row.model, row.dataset, row.metric.cost(areas[row]))):
        writer.writerow([row.model, row.dataset, row.method, row.protocol, row.metric.name, areas[row]])
    return text.getvalue()
