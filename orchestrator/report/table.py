"""Summaries of a sweep: mean and standard deviation over the seeds, by method and compression. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jobs.metric import STOPPED, Metric
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.results import Curve, by_objective
from orchestrator.results.targets import PARAMETERS, reached_words, removed

MISSING = "—"
"""Shown for a planned point that is not measured."""

DAGGER = "†"
"""Shown where a training stopped in a race."""

STOPPED_WORDS = f"{DAGGER}: out of its race, so that its training stopped early."
"""What that says below a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One compression of one method, over the seeds.

    Attributes:
        asked: The target compression, in [0, 1).
        reached: What was really removed of the parameters, mean over the seeds measured; NaN where there is none.
        reached_macs: What was of the MACs.
        reached_latency: What was of the latency, by the profile; NaN where there was none.
        metric: The metric.
        value: Its mean over the seeds measured; NaN where there is none.
        deviation: Its sample standard deviation (n - 1); 0 for a single seed.
        num_measured: Seeds that have measured it.
        num_planned: Seeds that were to measure it.
        stopped: Whether its training stopped in a race.
    """

    asked: float
    reached: float
    reached_macs: float
    reached_latency: float
    metric: Metric
    value: float
    deviation: float
    num_measured: int
    num_planned: int
    stopped: bool = False

    def removed(self, target: str) -> float:
        """What was really removed of a target's cost."""
        return {"parameters": self.reached, "macs": self.reached_macs, "latency": self.reached_latency}[target]

    def text(self, target: str) -> str:
        """The cell as people read it, with what was removed where that is not what was asked for.

        A dagger says that its training stopped in a race.
        """
        return f"{self}{' ' + DAGGER if self.stopped else ''}{reached_words(self.asked, self.removed(target))}"

    def __str__(self) -> str:
        if not self.num_measured:
            return MISSING
        return self.metric.summary(
            self.value, self.deviation, num_measured=self.num_measured, num_planned=self.num_planned
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One method on one model, over the seeds; `cells` by increasing target compression.

    `dense`, `baseline` and `control`: see `PlannedCurve`.
    """

    model: str
    dataset: str
    method: str
    protocol: str
    cells: tuple[Cell, ...]
    dense: bool = False
    baseline: bool = False
    control: str = NO_PROTOCOL

    @property
    def metric(self) -> Metric:
        """The metric of its cells."""
        return self.cells[0].metric

    @property
    def is_level(self) -> bool:
        """Whether it has no curve, but a height: no target compression above 0."""
        return all(cell.asked == 0.0 for cell in self.cells)

    @property
    def is_control(self) -> bool:
        """Whether it is the dense network that others are compared with."""
        return self.dense and self.protocol == self.control

    @property
    def measured(self) -> tuple[Cell, ...]:
        """The cells that have a value."""
        return tuple(cell for cell in self.cells if cell.num_measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSummary:
    """Curves of one objective aggregated over the seeds, in the order of the sweep.

    Attributes:
        metric: The metric whose values they are.
        test_set: The named test set that they are of; empty: the whole test split.
        asked: Every compression that some method was asked for, rising.
        rows: One for each model and method.
    """

    metric: Metric
    test_set: str = ""
    asked: tuple[float, ...]
    rows: tuple[SummaryRow, ...]

    @property
    def heading(self) -> str:
        """The metric with its unit, and the test set, at the beginning of a line."""
        return f"{self.metric.heading} on {self.test_set}" if self.test_set else self.metric.heading

    def texts(self, row: SummaryRow, target: str = PARAMETERS) -> list[str]:
        """A row's cells in the order of `asked`; empty where the method has no such target compression.

        Args:
            row: The row.
            target: What compressions are fractions of.
        """
        cells = {cell.asked: cell.text(target) for cell in row.cells}
        return [cells.get(asked, "") for asked in self.asked]


def summaries(curves: Sequence[Curve]) -> tuple[CurveSummary, ...]:
    """One summary for each primary metric that curves are judged by; at least one."""
    return tuple(summarize(group, objective[0]) for objective, group in by_objective(curves).items())


def further_summaries(curves: Sequence[Curve], *, primary: bool) -> tuple[CurveSummary, ...]:
    """What the summaries of primary metrics leave out, of those models alone that have measured it.

    Args:
        curves: The curves, as far as measured.
        primary: Take the primary metrics on each named test set; else the other metrics, on the whole and on each.
    """
    found = []
    for objective, group in by_objective(curves).items():
        # Where there is but one set, it is the whole.
        several = (point.test_sets for curve in group for point in curve.points if len(point.test_sets) > 1)
        sets = dict.fromkeys(name for names in several for name in names)
        for metric in objective[:1] if primary else objective[1:]:
            for name in sets if primary else ("", *sets):
                models = {_place(each) for each in group if any(_key(metric, name) in p.metrics for p in each.points)}
                found.append(summarize([each for each in group if _place(each) in models], metric, name))
    return tuple(found)


def summarize(curves: Sequence[Curve], metric: Metric | None = None, test_set: str = "") -> CurveSummary:
    """Take the seeds of each method together.

    Args:
        curves: The curves, as far as measured; those of one objective, see `results.by_objective`.
        metric: One of their objective's metrics; default: the primary one.
        test_set: A named test set; default: the whole test split.
    """
    metric = metric or next(iter(by_objective(curves)))[0]
    groups: dict[tuple[str, str, str, str], list[Curve]] = {}
    for curve in curves:
        groups.setdefault((*_place(curve), curve.plan.method, curve.plan.protocol), []).append(curve)
    rows = tuple(
        SummaryRow(
            model=model,
            dataset=dataset,
            method=method,
            protocol=protocol,
            cells=_cells(group, metric, _key(metric, test_set)),
            dense=group[0].plan.dense,
            baseline=group[0].plan.baseline,
            control=group[0].plan.control,
        )
        for (model, dataset, method, protocol), group in groups.items()
    )
    asked = tuple(sorted({cell.asked for row in rows for cell in row.cells}))
    return CurveSummary(metric=metric, test_set=test_set, asked=asked, rows=rows)


def _place(curve: Curve) -> tuple[str, str]:
    return curve.plan.model, curve.plan.dataset


def _key(metric: Metric, test_set: str) -> str:
    return f"{metric.name}/{test_set}" if test_set else metric.name


def _cells(curves: Sequence[Curve], metric: Metric, key: str) -> tuple[Cell, ...]:
    planned = [point.compression for curve in curves for point in curve.plan.points]
    measured = [point for curve in curves for point in curve.points if key in point.metrics]
    cells = []
    for asked in sorted(set(planned)):
        here = [point for point in measured if point.asked == asked]
        values = [point.metrics[key] for point in here]
        cells.append(
            Cell(
                asked=asked,
                reached=_mean([removed(point.metrics, "parameters") for point in here]),
                reached_macs=_mean([removed(point.metrics, "macs") for point in here]),
                reached_latency=_mean([removed(point.metrics, "latency") for point in here]),
                metric=metric,
                value=_mean(values),
                deviation=stdev(values) if len(values) > 1 else 0.0,
                num_measured=len(here),
                num_planned=planned.count(asked),
                stopped=any(STOPPED in point.metrics for point in here),
            )
        )
    return tuple(cells)


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def several_protocols(rows: Sequence[SummaryRow]) -> frozenset[str]:
    """The methods of which there are rows with several protocols."""
    pairs = {(row.method, row.protocol) for row in rows}
    return frozenset(method for method, count in Counter(method for method, _ in pairs).items() if count > 1)


def protocols_told(rows: Sequence[SummaryRow]) -> frozenset[str]:
    """The methods whose protocol a figure names: where it shows several protocols, all but those with `none` alone."""
    several = len({row.protocol for row in rows if not row.is_level}) > 1
    told = {row.method for row in rows if several and not row.is_level and row.protocol != NO_PROTOCOL}
    return several_protocols(rows) | told


def row_name(row: SummaryRow, several: frozenset[str]) -> str:
    """A method's name, with its protocol where the method is among those that have several."""
    return f"{row.method} · {row.protocol}" if row.method in several else row.method
