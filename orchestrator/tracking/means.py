"""Mean curves: the seeds of one model, method and protocol taken together, as MLflow's first page draws them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jobs.identity import content_key
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve, Point, SweepRecord
from orchestrator.tracking.runs import row_name, short

REACHED = "reached compression"
"""Metric of a mean curve: where along the x axis a row is drawn; for levels, at every compression of their model."""

_COSTS = ("compression", "compression_ratio", "speedup", "params", "macs", "size_bytes", "latency_p50_s")
"""Of what all points measure, the means that mean curves have beside those of the objective: few charts help most."""

_EVALUATED = ""
"""Stands for the stage `evaluate` in names of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRow:
    """What the seeds of a mean curve measured at one step.

    Attributes:
        name: See `row_name`.
        step: The target compression in percent.
        digest: Of the tasks that measured it.
        metrics: Means over the seeds, and the deviation of the primary metric.
        created_s: When the last seed was measured, seconds since the epoch.
        settled: Whether it has every seed that was planned, so that it will not change.
    """

    name: str
    step: int
    digest: str
    metrics: Mapping[str, float]
    created_s: float
    settled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanCurve:
    """The seeds of one model, data set, method and protocol.

    Attributes:
        seeds: Their curves, as far as measured.
        rows: The measured ones.
        place: Where it stands among the mean curves of its sweep: controls first.
    """

    seeds: tuple[Curve, ...]
    rows: tuple[MeanRow, ...]
    place: int

    @property
    def plan(self) -> PlannedCurve:
        """The plan of its first seed, which has all that the seeds share."""
        return self.seeds[0].plan

    @property
    def complete(self) -> bool:
        """Whether everything that was planned of its seeds is measured."""
        return all(curve.complete for curve in self.seeds)

    @property
    def label(self) -> str:
        """`model/method/protocol`, without the protocol where it is `none`."""
        protocol = () if self.plan.protocol == NO_PROTOCOL else (self.plan.protocol,)
        return "/".join([self.plan.model, self.plan.method, *protocol])


def mean_curves(record: SweepRecord, curves: Sequence[Curve]) -> tuple[MeanCurve, ...]:
    """The mean curves of a sweep: dense networks first, then baselines, random pruning, and the others as written."""
    groups: dict[tuple[str, str, str, str], list[Curve]] = {}
    for curve in curves:
        plan = curve.plan
        groups.setdefault((plan.model, plan.dataset, plan.method, plan.protocol), []).append(curve)
    ordered = sorted(groups.values(), key=lambda seeds: _rank(record, seeds[0].plan))
    steps: dict[tuple[str, str], set[int]] = {}
    for curve in curves:
        model = curve.plan.model, curve.plan.dataset
        steps.setdefault(model, set()).update(to_percent(point.compression) for point in curve.plan.points)
    return tuple(
        MeanCurve(
            seeds=tuple(seeds),
            rows=tuple(_rows(seeds, steps[seeds[0].plan.model, seeds[0].plan.dataset])),
            place=place,
        )
        for place, seeds in enumerate(ordered)
    )


def is_level(plan: PlannedCurve) -> bool:
    """Whether it has no curve, but a height: no target compression above 0."""
    return all(point.compression == 0 for point in plan.points)


def is_random(record: SweepRecord, plan: PlannedCurve) -> bool:
    """Whether its channels are removed at random."""
    method = record.spec.get("methods", {}).get(plan.method, {})
    return bool(method.get("criterion") == "random")


def deviation_name(metric: str) -> str:
    """The key of a primary metric's sample standard deviation over the seeds."""
    return f"{metric}_std"


def _rank(record: SweepRecord, plan: PlannedCurve) -> int:
    first = plan.is_control, is_level(plan), is_random(record, plan)
    return next((rank for rank, holds in enumerate(first) if holds), len(first))


def _rows(seeds: Sequence[Curve], steps: Iterable[int]) -> Iterator[MeanRow]:
    planned: dict[tuple[int, str], int] = {}
    for curve in seeds:
        for point in curve.plan.points:
            for stage in (_EVALUATED, *(stage for stage, _ in point.further)):
                place = to_percent(point.compression), stage
                planned[place] = planned.get(place, 0) + 1
    level = is_level(seeds[0].plan)
    for (step, stage), count in sorted(planned.items()):
        measured = list(_measured(seeds, step, stage))
        if not measured:
            continue
        row = _row(step, stage, measured, level=level, settled=len(measured) == count)
        yield row
        if level and stage == _EVALUATED:
            yield from (_moved(row, to, measured[0].point) for to in sorted(steps) if to != step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What one task measured of one seed's point."""

    point: Point
    key: str
    metrics: Mapping[str, float]
    created_s: float


def _measured(seeds: Sequence[Curve], step: int, stage: str) -> Iterator[_Measured]:
    for curve in seeds:
        for point in curve.points:
            if point.step != step:
                continue
            if stage == _EVALUATED:
                yield _Measured(point=point, key=point.key, metrics=point.metrics, created_s=point.created_s)
            for each in point.further:
                if each.stage == stage:
                    yield _Measured(point=point, key=each.key, metrics=each.metrics, created_s=each.created_s)


def _row(step: int, stage: str, measured: Sequence[_Measured], *, level: bool, settled: bool) -> MeanRow:
    values: dict[str, list[float]] = {}
    for each in measured:
        for name, value in each.metrics.items():
            if _is_kept(name, each.point):
                values.setdefault(name, []).append(value)
    metrics = {mean_key(name): fmean(several) for name, several in values.items()}
    primary = measured[0].point.primary.name
    if len(values.get(primary, ())) > 1:
        metrics[deviation_name(primary)] = stdev(values[primary])
    if stage == _EVALUATED:
        metrics[REACHED] = step / 100 if level else metrics.get("compression", step / 100)
    return MeanRow(
        name=row_name(step, stage),
        step=step,
        digest=short(content_key({"tasks": sorted(each.key for each in measured)})),
        metrics=metrics,
        created_s=max(each.created_s for each in measured),
        settled=settled,
    )


def _is_kept(name: str, point: Point) -> bool:
    return "/" in name or name in _COSTS or any(metric.name == name for metric in point.objective)


def mean_key(name: str) -> str:
    """The key of a metric's mean: MLflow's page shows keys with slashes apart, and before all others."""
    return name.replace("/", " ")


def _moved(row: MeanRow, step: int, point: Point) -> MeanRow:
    """A level's row at another step, so that its line crosses the chart: its quality, not its cost."""
    quality = {*(metric.name for metric in point.objective), deviation_name(point.primary.name)}
    kept = {name: value for name, value in row.metrics.items() if name.partition(" ")[0] in quality}
    return MeanRow(
        name=row_name(step),
        step=step,
        digest=row.digest,
        metrics={**kept, REACHED: step / 100},
        created_s=row.created_s,
        settled=row.settled,
    )
