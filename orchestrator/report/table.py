"""Tables of a sweep: every point as CSV, and the mean and standard deviation over the seeds for the terminal."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from jobs.metric import OCCASIONAL_KEYS, Metric
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.results import Curve, SweepRecord, metric_keys, objective_of, variant_keys
from orchestrator.results.orders import GroupOrder

if TYPE_CHECKING:
    from rich.table import Table

MISSING = "—"
"""Shown for a planned point that is not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One compression of one method, over the seeds.

    Attributes:
        asked: The target compression, in [0, 1).
        reached: The compression reached, mean over the seeds measured; NaN where there is none.
        metric: The metric.
        value: Its mean over the seeds measured; NaN where there is none.
        deviation: Its sample standard deviation (n - 1); 0 for a single seed.
        num_measured: Seeds that have measured it.
        num_planned: Seeds that were to measure it.
    """

    asked: float
    reached: float
    metric: Metric
    value: float
    deviation: float
    num_measured: int
    num_planned: int

    def __str__(self) -> str:
        if not self.num_measured:
            return MISSING
        return self.metric.summary(
            self.value, self.deviation, num_measured=self.num_measured, num_planned=self.num_planned
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One method on one model, over the seeds; `cells` by increasing target compression."""

    model: str
    dataset: str
    method: str
    protocol: str
    cells: tuple[Cell, ...]

    @property
    def is_dense(self) -> bool:
        """Whether it is the dense network: no target compression above 0."""
        return all(cell.asked == 0.0 for cell in self.cells)

    @property
    def is_control(self) -> bool:
        """Whether it is the dense network without any protocol."""
        return self.is_dense and self.protocol == NO_PROTOCOL

    @property
    def measured(self) -> tuple[Cell, ...]:
        """The cells that have a value."""
        return tuple(cell for cell in self.cells if cell.num_measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSummary:
    """All curves aggregated over the seeds, in the order of the sweep.

    Attributes:
        metric: The metric whose values they are.
        asked: Every compression that some method was asked for, rising.
        rows: One for each model and method.
    """

    metric: Metric
    asked: tuple[float, ...]
    rows: tuple[SummaryRow, ...]

    def texts(self, row: SummaryRow) -> list[str]:
        """A row's cells in the order of `asked`; empty where the method has no such target compression."""
        cells = {cell.asked: str(cell) for cell in row.cells}
        return [cells.get(asked, "") for asked in self.asked]


def summarize(curves: Sequence[Curve], metric: Metric | None = None) -> CurveSummary:
    """Take the seeds of each method together.

    Args:
        curves: The curves, as far as measured.
        metric: One of their objective's metrics; default: the primary one.
    """
    metric = metric or objective_of(curves)[0]
    groups: dict[tuple[str, str, str, str], list[Curve]] = {}
    for curve in curves:
        plan = curve.plan
        groups.setdefault((plan.model, plan.dataset, plan.method, plan.protocol), []).append(curve)
    rows = tuple(
        SummaryRow(model=model, dataset=dataset, method=method, protocol=protocol, cells=_cells(group, metric))
        for (model, dataset, method, protocol), group in groups.items()
    )
    asked = tuple(sorted({cell.asked for row in rows for cell in row.cells}))
    return CurveSummary(metric=metric, asked=asked, rows=rows)


def _cells(curves: Sequence[Curve], metric: Metric) -> tuple[Cell, ...]:
    planned = [point.compression for curve in curves for point in curve.plan.points]
    measured = [point for curve in curves for point in curve.points if metric.name in point.metrics]
    cells = []
    for asked in sorted(set(planned)):
        here = [point for point in measured if point.asked == asked]
        values = [point.metrics[metric.name] for point in here]
        cells.append(
            Cell(
                asked=asked,
                reached=fmean(point.metrics["compression"] for point in here) if here else float("nan"),
                metric=metric,
                value=fmean(values) if values else float("nan"),
                deviation=stdev(values) if len(values) > 1 else 0.0,
                num_measured=len(here),
                num_planned=planned.count(asked),
            )
        )
    return tuple(cells)


def percent(fraction: float) -> str:
    """Format a compression in whole percent."""
    return f"{to_percent(fraction)} %"


def row_name(row: SummaryRow, rows: Sequence[SummaryRow]) -> str:
    """A method's name, with its protocol where the method has several."""
    protocols = {other.protocol for other in rows if other.method == row.method}
    return f"{row.method} · {row.protocol}" if len(protocols) > 1 else row.method


def summary_table(curves: Sequence[Curve]) -> "Table":
    """The primary metric as a table for the terminal: compressions go down, where there is room, methods across."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    summary = summarize(curves)
    methods = list(dict.fromkeys(row_name(row, summary.rows) for row in summary.rows))
    models = list(dict.fromkeys((row.model, row.dataset) for row in summary.rows))
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{summary.metric.heading}, mean ± standard deviation",
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("model", overflow="fold")
    table.add_column("removed", justify="right", no_wrap=True)
    for method in methods:
        table.add_column(
            Text(method), justify="right", overflow="fold"
        )  # as text: names may hold what rich takes for markup
    for model, dataset in models:
        rows = {
            row_name(row, summary.rows): row for row in summary.rows if (row.model, row.dataset) == (model, dataset)
        }
        columns = [summary.texts(rows[method]) if method in rows else [""] * len(summary.asked) for method in methods]
        lines = [line for line in zip(summary.asked, *columns, strict=True) if any(line[1:])]
        for number, (asked, *cells) in enumerate(lines):
            table.add_row(
                Text("" if number else model), percent(asked), *(Text(cell.replace(" ± ", "±")) for cell in cells)
            )
        table.add_section()
    return table


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
    objective = objective_of(curves)
    keys = (*metric_keys(objective), *OCCASIONAL_KEYS, *variant_keys(curves))
    writer.writerow([*head, *keys, f"{objective[0].name}_change", "pareto", "digest", "key", "note"])
    for curve in curves:
        plan = curve.plan
        for point in curve.points:
            names = [record.name, plan.model, plan.dataset, plan.method, plan.protocol, plan.seed]
            measured = point.all_metrics
            values = [measured.get(name, "") for name in keys]
            compared = [changes.get(point.key, ""), "yes" if point.key in front else "no"]
            writer.writerow([*names, point.asked, *values, *compared, point.digest, point.key, point.note])
    return text.getvalue()


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


def areas_csv(areas: Mapping[SummaryRow, float], metric: Metric) -> str:
    """The area under every curve, best first within a model."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "dataset", "method", "protocol", "area"])
    for row in sorted(areas, key=lambda row: (row.model, row.dataset, metric.cost(areas[row]))):
        writer.writerow([row.model, row.dataset, row.method, row.protocol, areas[row]])
    return text.getvalue()
