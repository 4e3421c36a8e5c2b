"""Chooses networks of a sweep: candidates with their means over the seeds, requirements, and a ranking. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from jobs.errors import BadInputError, nearest
from jobs.metric import Metric
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.planning import PlannedCurve
from orchestrator.results.curves import Curve, Point, by_objective
from orchestrator.results.dominance import LATENCY, undominated
from orchestrator.results.targets import percent, reached_words, removed

Cost = Literal["params", "macs", "latency"]
"""What networks are ranked by, least first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Which networks of a sweep are wanted.

    Attributes:
        model: Only those of this model.
        method: Only those of this method.
        protocol: Only those after this protocol.
        compression: Only those of this target compression.
        within: By how much the primary metric may be worse than the dense network's, in the unit that people read.
        max_params: Most parameters.
        max_macs: Most multiply-accumulates of one image.
        max_latency_s: Longest median of a forward pass.
        latency: Which latency, as runtime and batch (`onnxruntime/b1`); default: the first one that was measured.
    """

    model: str | None = None
    method: str | None = None
    protocol: str | None = None
    compression: float | None = None
    within: float | None = None
    max_params: float | None = None
    max_macs: float | None = None
    max_latency_s: float | None = None
    latency: str | None = None


def is_of_8_bits(variant: str) -> bool:
    """Whether a variant's metric is that of the quantised network."""
    return "-int8/" in variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The networks of one method at one compression, over the seeds that measured it.

    Attributes:
        model: Its model.
        dataset: Its data set.
        method: Its method.
        protocol: Its protocol.
        asked: The target compression, in [0, 1).
        points: Seed -> its point.
        curves: Seed -> the curve that the point is on.
        num_planned: How many seeds are to measure it.
        metric: The primary metric.
        dense: The primary metric of the model's dense network, mean over the same seeds; None where one of them has not
            measured it.
    """

    model: str
    dataset: str
    method: str
    protocol: str
    asked: float
    points: Mapping[int, Point]
    curves: Mapping[int, PlannedCurve]
    num_planned: int
    metric: Metric
    dense: float | None

    @property
    def label(self) -> str:
        """For people: model, method, protocol where there is one, compression."""
        protocol = "" if self.protocol == NO_PROTOCOL else f"/{self.protocol}"
        return f"{self.model}/{self.method}{protocol} at {to_percent(self.asked)} %"

    @property
    def plan(self) -> PlannedCurve:
        """The curve of its first seed."""
        return next(iter(self.curves.values()))

    @property
    def is_control(self) -> bool:
        """Whether it is the dense network that others are compared with."""
        return self.plan.is_control

    @property
    def complete(self) -> bool:
        """Whether all seeds have measured it."""
        return len(self.points) == self.num_planned

    @property
    def method_name(self) -> str:
        """The method, with its protocol where it has one."""
        return self.method if self.protocol == NO_PROTOCOL else f"{self.method} · {self.protocol}"

    def removal(self, target: str) -> str:
        """What was asked to be removed of a target's cost, and what really was, where that is another fraction."""
        reached = fmean(removed(point.metrics, target) for point in self.points.values())
        return f"{percent(self.asked)}{reached_words(self.asked, reached)}"

    @property
    def value(self) -> float:
        """The primary metric, mean over the seeds, as stored."""
        return fmean(point.value for point in self.points.values())

    @property
    def deviation(self) -> float:
        """Its sample standard deviation over the seeds; 0 for a single seed."""
        values = [point.value for point in self.points.values()]
        return stdev(values) if len(values) > 1 else 0.0

    @property
    def loss(self) -> float | None:
        """By how much the metric is worse than the dense network's, as stored; below 0 where it is better."""
        return None if self.dense is None else self.metric.cost(self.value) - self.metric.cost(self.dense)

    @property
    def text(self) -> str:
        """That mean as people read it, with the deviation, and with the seeds where some are missing."""
        seeds = {"num_measured": len(self.points), "num_planned": self.num_planned}
        return self.metric.summary(self.value, self.deviation, **seeds)

    @property
    def change(self) -> float | None:
        """That mean less the dense network's, as stored."""
        return None if self.dense is None else self.value - self.dense

    @property
    def means(self) -> dict[str, float]:
        """What all its seeds have measured, mean over them."""
        first = next(iter(self.points.values())).all_metrics
        found = {name: self.mean(name) for name in first}
        return {name: value for name, value in found.items() if value is not None}

    def mean(self, name: str) -> float | None:
        """A metric's mean over the seeds; None where one of them lacks it."""
        values = [point.all_metrics.get(name) for point in self.points.values()]
        found = [value for value in values if value is not None]
        return fmean(found) if len(found) == len(values) else None

    def cost(self, by: Cost, latency: str | None = None) -> float | None:
        """What it costs; None where that was not measured.

        Args:
            by: Which cost.
            latency: The runtime and batch of a latency; default: the first one that was measured.
        """
        if by != "latency":
            return self.mean(by)
        name = f"{LATENCY}/{latency}" if latency else next(iter(self.latencies), None)
        return self.mean(name) if name else None

    @property
    def latencies(self) -> tuple[str, ...]:
        """The latencies that were measured, in order; those of the quantised network, another one, come last."""
        measured = next(iter(self.points.values())).all_metrics
        found = [name for name in measured if name.startswith(LATENCY)]
        return tuple(sorted(found, key=is_of_8_bits))


def candidates(curves: Sequence[Curve]) -> tuple[Candidate, ...]:
    """All networks of a sweep, by objective, in the order of its curves and by rising compression; no baselines."""
    groups = by_objective([curve for curve in curves if not curve.plan.baseline]).values()
    return tuple(each for group in groups for each in _comparable(group))


def _comparable(curves: Sequence[Curve]) -> Iterator[Candidate]:
    """Those of curves of one objective."""
    groups: dict[tuple[str, str, str, str], list[Curve]] = {}
    for curve in curves:
        plan = curve.plan
        groups.setdefault((plan.model, plan.dataset, plan.method, plan.protocol), []).append(curve)
    dense = {
        (curve.plan.model, curve.plan.dataset, curve.plan.control, curve.plan.seed): curve.points[0].value
        for curve in curves
        if curve.plan.is_control and curve.points
    }
    for group in groups.values():
        yield from _candidates_of(group, dense)


def _candidates_of(group: Sequence[Curve], dense: Mapping[tuple[str, str, str, int], float]) -> Iterator[Candidate]:
    """Those of one method and protocol on one model, whose curves differ in their seeds."""
    plan = group[0].plan
    for asked in sorted({point.asked for curve in group for point in curve.points}):
        points = {curve.plan.seed: point for curve in group for point in curve.points if point.asked == asked}
        compared = [dense.get((plan.model, plan.dataset, plan.control, seed)) for seed in points]
        values = [value for value in compared if value is not None]
        yield Candidate(
            model=plan.model,
            dataset=plan.dataset,
            method=plan.method,
            protocol=plan.protocol,
            asked=asked,
            points=points,
            curves={curve.plan.seed: curve.plan for curve in group if curve.plan.seed in points},
            num_planned=sum(point.compression == asked for curve in group for point in curve.plan.points),
            metric=next(iter(points.values())).primary,
            dense=fmean(values) if len(values) == len(points) else None,
        )


def dense_of(every: Sequence[Candidate], candidate: Candidate) -> Candidate | None:
    """The dense network that a candidate is compared with; None where it was not measured."""
    controls = (each for each in every if each.is_control and _judged(each) == _judged(candidate))
    return next((each for each in controls if each.plan.control == candidate.plan.control), None)


def _judged(candidate: Candidate) -> tuple[str, str, Metric]:
    """What is the same of candidates that can be compared in everything."""
    return candidate.model, candidate.dataset, candidate.metric


def pareto_front(every: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that no other one of the same model and objective dominates, by their means over the seeds.

    See `dominance.undominated`.
    """
    models: dict[tuple[str, str, Metric], dict[int, Candidate]] = {}
    for number, each in enumerate(every):
        models.setdefault(_judged(each), {})[number] = each
    fronts = [
        undominated({number: each.means for number, each in members.items()}, metric)
        for (_, _, metric), members in models.items()
    ]
    return tuple(every[number] for number in sorted(number for front in fronts for number in front))


def rank(every: Sequence[Candidate], wanted: Requirements, *, by: Cost | None = None) -> tuple[Candidate, ...]:
    """The candidates that meet all requirements, the best first.

    Args:
        every: All candidates of a sweep.
        wanted: The requirements.
        by: Rank by this cost, least first; default: by the primary metric, best first.

    Raises:
        BadInputError: The sweep has no such model, method, protocol, compression or latency, or none that meets the
            requirements; it names the nearest one. Or networks of several objectives are wanted.
    """
    found = _named(every, wanted)
    _check_metrics(found)
    _check_latency(found, wanted, by)
    meeting = [each for each in found if _meets(each, wanted)]
    if not meeting:
        raise BadInputError(_none_meets(found, wanted))
    if by is None:
        return tuple(sorted(meeting, key=lambda each: (each.metric.cost(each.value), each.cost("params") or 0.0)))
    costs = {number: cost for number, each in enumerate(meeting) if (cost := each.cost(by, wanted.latency)) is not None}
    if not costs:
        raise BadInputError(f"{meeting[0].label} meets the requirements, but its {by} is not measured yet")
    order = sorted(costs, key=lambda number: (costs[number], meeting[number].metric.cost(meeting[number].value)))
    return tuple(meeting[number] for number in order)


def _named(every: Sequence[Candidate], wanted: Requirements) -> list[Candidate]:
    """Those of the model, method, protocol and compression that are wanted."""
    found = list(every)
    for what in ("model", "method", "protocol"):
        name = getattr(wanted, what)
        known = dict.fromkeys(getattr(each, what) for each in found)
        if name is not None and name not in known:
            raise BadInputError(f"{what} '{name}' has no measured network; {nearest(name, known)}")
        found = [each for each in found if name in (None, getattr(each, what))]
    if wanted.compression is not None:
        measured = sorted({to_percent(each.asked) for each in found})
        found = [each for each in found if to_percent(each.asked) == to_percent(wanted.compression)]
        if not found:
            raise BadInputError(
                f"compression {wanted.compression:g} is not measured; measured are "
                f"{', '.join(f'{each / 100:g}' for each in measured)}"
            )
    return found


def _check_metrics(found: Sequence[Candidate]) -> None:
    metrics: dict[Metric, dict[str, None]] = {}
    for each in found:
        metrics.setdefault(each.metric, {})[each.model] = None
    if len(metrics) > 1:
        told = ", ".join(f"{' and '.join(models)} by {metric.label}" for metric, models in metrics.items())
        raise BadInputError(
            f"networks that are judged by different metrics cannot be ranked together: {told}; choose with --model, "
            "--method or --protocol"
        )


def _check_latency(found: Sequence[Candidate], wanted: Requirements, by: Cost | None) -> None:
    if by != "latency" and wanted.max_latency_s is None and wanted.latency is None:
        return
    if any(each.cost("latency", wanted.latency) is not None for each in found):
        return
    known = dict.fromkeys(name.removeprefix(f"{LATENCY}/") for each in found for name in each.latencies)
    if wanted.latency and known:
        raise BadInputError(f"latency '{wanted.latency}' is not measured; {nearest(wanted.latency, known)}")
    raise BadInputError("no latency was measured; add `measure: {latency: {}}` to the sweep file and run it again")


def _meets(candidate: Candidate, wanted: Requirements) -> bool:
    limits = (
        ("params", wanted.max_params),
        ("macs", wanted.max_macs),
        ("latency", wanted.max_latency_s),
    )
    for name, limit in limits:
        cost = candidate.cost(name, wanted.latency)  # type: ignore[arg-type]  # the names above are costs
        if limit is not None and (cost is None or cost > limit):
            return False
    return wanted.within is None or is_within(candidate, wanted.within)


def is_within(candidate: Candidate, tolerance: float) -> bool:
    """Whether a candidate's metric is at most `tolerance`, in the unit that people read, worse than the dense one's."""
    return candidate.loss is not None and candidate.loss * candidate.metric.scale <= tolerance + 1e-9


def _none_meets(found: Sequence[Candidate], wanted: Requirements) -> str:
    if wanted.within is not None and all(each.dense is None for each in found):
        return "the dense network is not measured, so that nothing can be compared with it; run the sweep with `dense`"
    best = min(found, key=lambda each: each.metric.cost(each.value))
    return (
        "no network meets all requirements; the best by its metric is "
        f"{best.label}: {best.metric.label} {best.metric.text(best.value)} {best.metric.unit}".rstrip()
        + f", {best.cost('params') or 0:,.0f} parameters"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedNetwork:
    """One network of a sweep, chosen.

    Attributes:
        candidate: Its method and compression, over the seeds.
        seed: Its seed.
        why: How it was chosen, for people; empty where it was named.
    """

    candidate: Candidate
    seed: int
    why: str = ""

    @property
    def point(self) -> Point:
        """Its point."""
        return self.candidate.points[self.seed]

    @property
    def curve(self) -> PlannedCurve:
        """The curve that its point is on."""
        return self.candidate.curves[self.seed]


def select(candidate: Candidate, seed: int | None = None, *, why: str = "") -> SelectedNetwork:
    """The network of one seed.

    Args:
        candidate: Its method and compression.
        seed: Default: the seed whose metric is nearest to the mean, the smallest of those: a typical network, not the
            luckiest one.
        why: How the candidate was chosen.

    Raises:
        BadInputError: There is no such seed.
    """
    if seed is None:
        seed = min(candidate.points, key=lambda each: (abs(candidate.points[each].value - candidate.value), each))
    if seed not in candidate.points:
        known = ", ".join(map(str, sorted(candidate.points)))
        raise BadInputError(f"{candidate.label}: seed {seed} is not measured; measured are {known}")
    return SelectedNetwork(candidate=candidate, seed=seed, why=why)
