"""A sweep's curves: their points, and what these measured.

A `SweepRecord` is kept in the store beside the artifacts, so that the curves can be read from the store alone.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from jobs.artifact import Manifest, Store
from jobs.errors import BadInputError
from jobs.identity import Json, Parsed
from jobs.measured import counts, number, records, text, texts
from jobs.metric import COMMON_KEYS, OCCASIONAL_KEYS, Metric
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.planning import PlannedCurve, PlannedPoint

_log = logging.getLogger("orchard")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """The record of a sweep in the store.

    Attributes:
        name: The sweep's name; its MLflow experiment.
        spec: The validated sweep file, overrides applied, defaults filled in.
        curves: The curves with the keys of their points.
        git_commit: Commit of the code that planned it; empty where unknown.
        versions: Of Python and of the numerical libraries.
        environment: What the plan depended on besides the spec (`planning.PlanEnvironment`), for planning again.
    """

    name: str
    spec: Parsed
    curves: tuple[PlannedCurve, ...]
    git_commit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    environment: Parsed = field(default_factory=dict)

    def data_of(self, curve: PlannedCurve) -> Parsed:
        """The data set of a curve as the spec has it: of its transfer, of its model, else the sweep's."""
        own: Parsed = self._own_data(curve)[1] or self.spec.get("data", {})
        return own

    def data_fingerprint_of(self, curve: PlannedCurve) -> str:
        """What the content of that data set was known by; empty where an earlier version recorded the sweep."""
        path, own = self._own_data(curve)
        found: str = self.environment.get("own_data", {}).get(path, "") if own else self.environment.get("data", "")
        return found

    def _own_data(self, curve: PlannedCurve) -> tuple[str, Parsed]:
        """Where a data set of a curve's own stands in the spec, and that data set; empty where it has the sweep's."""
        model: Parsed = self.spec.get("models", {}).get(curve.model, {})
        source = (model.get("transfer") or {}).get("protocol", NO_PROTOCOL)
        transfer = source if curve.control == NO_PROTOCOL else curve.control
        if transfer != NO_PROTOCOL:
            return f"protocols.{transfer}.data", self.spec["protocols"][transfer]["data"]
        return f"models.{curve.model}.data", model.get("data") or {}

    def split_of(self, curves: Iterable[PlannedCurve]) -> str:
        """The split that the metrics of curves were measured on; of several data sets perhaps more than one."""
        return " and ".join(dict.fromkeys(str(self.data_of(each).get("split", "test")) for each in curves))

    def to_json(self) -> dict[str, Json]:
        """The record as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Parsed) -> "SweepRecord":
        """The record that `to_json` wrote; one of version 0.1 cannot be planned again."""
        value = {name: each for name, each in value.items() if name != "surroundings"}
        methods = value["spec"].get("methods", {})
        curves = tuple(
            PlannedCurve(
                **{
                    "dense": methods.get(curve["method"], {}).get("kind") == "dense",  # earlier records do not say it
                    **curve,
                    "points": tuple(map(PlannedPoint.from_json, curve["points"])),
                }
            )
            for curve in value["curves"]
        )
        return cls(**{**value, "curves": curves})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many channels of every group, or weights of every parameter, a network keeps.

    Attributes:
        left: Name -> number kept; in the order of the forward pass.
        full: Name -> number in the dense network.
    """

    left: Mapping[str, int]
    full: Mapping[str, int]


EARLIER = (
    Metric(
        name="accuracy", label="accuracy", direction="higher", unit="%", scale=100.0, digits=1, lowest=0.0, highest=1.0
    ),
)
"""What is measured of points that do not say it: all of them were of classification, and accuracy was its metric."""

_KEPT = {"channels": ("widths", "full_widths"), "weights": ("weights", "full_weights")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What another task than `evaluate` measured of a point's network.

    Attributes:
        stage: Its stage: `quantize` or `time`.
        key: The task.
        metrics: By metric and variant: `accuracy/int8`, `latency_p50_s/onnxruntime/b1`.
        created_s: When it was measured, seconds since the epoch.
        ran_on: Model of the GPU or processor; empty where unknown.
    """

    stage: str
    key: str
    metrics: Mapping[str, float]
    created_s: float
    ran_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured point of a curve.

    Attributes:
        asked: The target compression, in [0, 1).
        key: The `evaluate` task.
        metrics: Of `metric_keys` of its objective, the `ema_name` of its primary metric, and `OCCASIONAL_KEYS`, those
            that were measured; then the objective's metrics on each named test set: `psnr_db/set5`.
        created_s: When it was measured, seconds since the epoch.
        note: Why the compression reached misses the target by more than one percentage point, and where its training
            stopped in a race; else empty.
        kept: The `channels` that every group keeps, or the `weights` that every parameter keeps; empty for dense
            networks.
        digest: SHA-256 of the network's weights file.
        objective: The metrics of what the network is for, the primary one first.
        further: What else was measured of its network so far.
        test_sets: The named test sets, in the data's order.

    Raises:
        BadInputError: Two tasks measured a metric of one name.
    """

    asked: float
    key: str
    metrics: Mapping[str, float]
    created_s: float
    note: str = ""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    digest: str = ""
    objective: tuple[Metric, ...] = EARLIER
    further: tuple[Further, ...] = ()
    test_sets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        measuring: dict[str, str] = {}
        for stage, metrics in (("evaluate", self.metrics), *((each.stage, each.metrics) for each in self.further)):
            for name in metrics:
                if (other := measuring.setdefault(name, stage)) != stage:
                    raise BadInputError(
                        f"{name} is measured by {other} and by {stage}, and nobody could tell which one a number is; "
                        "give the attack in `measure.attack.by` another name, and run the sweep again"
                    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The tasks that measured it, `evaluate` first."""
        return (self.key, *(each.key for each in self.further))

    @property
    def all_metrics(self) -> dict[str, float]:
        """Its metrics, and those of all its variants."""
        return {**self.metrics, **{name: value for each in self.further for name, value in each.metrics.items()}}

    @property
    def primary(self) -> Metric:
        """The metric that it is judged by."""
        return self.objective[0]

    @property
    def value(self) -> float:
        """That metric's value, as stored."""
        return self.metrics[self.primary.name]

    @property
    def step(self) -> int:
        """The target compression in whole percent: the x axis in MLflow."""
        return to_percent(self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The measured points of a planned curve, by increasing compression."""

    plan: PlannedCurve
    points: tuple[Point, ...]

    @property
    def complete(self) -> bool:
        """Whether everything that was planned of it is measured."""
        planned = sum(len(point.keys) for point in self.plan.points)
        return planned == sum(1 + len(point.further) for point in self.points)


def metric_keys(objective: Sequence[Metric]) -> tuple[str, ...]:
    """The metric keys of every point of an objective, the same on every curve.

    The primary metric, on the test split, and with the weights that were best on the validation split; the other
    metrics; and `COMMON_KEYS`. Points that an earlier version measured lack some.
    """
    primary, *others = objective
    return (primary.name, primary.best_name, *(metric.name for metric in others), *COMMON_KEYS)


METRICS = metric_keys(EARLIER)
"""Those of points that do not say what is measured."""


def variant_keys(curves: Iterable[Curve]) -> tuple[str, ...]:
    """The metrics of variants that some point has: on test sets, of quantised networks, of runtimes and batch sizes."""
    names = [name for curve in curves for point in curve.points for name in point.all_metrics]
    return tuple(dict.fromkeys(name for name in names if "/" in name))


def by_objective(curves: Sequence[Curve]) -> dict[tuple[Metric, ...], tuple[Curve, ...]]:
    """The curves by what they are judged by: only those of one primary metric can be compared.

    Args:
        curves: The curves of a sweep, whose models may have different objectives.

    Returns:
        Metrics, the primary one first -> the curves that are judged by it, in order; at least one entry. A curve
        without points is where its model is; where nothing of that is measured either, in the first one.
    """
    places = {_place(curve): curve.points[0].primary for curve in reversed(curves) if curve.points}
    first = next((curve.points[0].primary for curve in curves if curve.points), EARLIER[0])
    groups: dict[Metric, list[Curve]] = {}
    for curve in curves:
        primary = curve.points[0].primary if curve.points else places.get(_place(curve), first)
        groups.setdefault(primary, []).append(curve)
    return {_objective(primary, group): tuple(group) for primary, group in groups.items()} or {EARLIER: ()}


def _place(curve: Curve) -> tuple[str, str]:
    return curve.plan.model, curve.plan.dataset


def _objective(primary: Metric, curves: Sequence[Curve]) -> tuple[Metric, ...]:
    """All metrics of curves with one primary metric: points of an earlier version may lack some."""
    named = {each.name: each for curve in curves for point in curve.points for each in point.objective}
    return tuple({primary.name: primary, **named}.values())


def point_of(asked: float, manifest: Manifest, further: Iterable[Manifest] = ()) -> Point:
    """The point that an `evaluate` manifest, and those of further tasks, measured."""
    measured = manifest.measurements
    objective = tuple(map(Metric.from_json, records(measured, "metrics"))) or EARLIER
    values = {**measured, **manifest.timings, "duration_s": manifest.duration_s}
    sets = texts(measured, "test_sets")
    apart = (f"{each.name}/{of}" for each in objective for of in sets)
    names = (*metric_keys(objective), objective[0].ema_name, *OCCASIONAL_KEYS, *apart)
    return Point(
        asked=asked,
        key=manifest.key,
        metrics={name: number(values, name) for name in names if name in values},
        created_s=manifest.created_s,
        note=text(measured, "note", ""),
        kept={
            of: Kept(left={name: left[name] for name in full}, full=full)
            for of, (names, listed) in _KEPT.items()
            if (full := counts(measured, listed))
            for left in [counts(measured, names)]
        },
        digest=text(measured, "digest", ""),
        objective=objective,
        further=tuple(map(_further, further)),
        test_sets=sets,
    )


def _further(manifest: Manifest) -> Further:
    measured = {**manifest.measurements, **manifest.timings}
    return Further(
        stage=manifest.stage,
        key=manifest.key,
        metrics={name: number(measured, name) for name in measured if "/" in name},
        created_s=manifest.created_s,
        ran_on=manifest.ran_on,
    )


def collect(record: SweepRecord, store: Store, known: dict[PlannedPoint, Point] | None = None) -> tuple[Curve, ...]:
    """The curves of a sweep with the points that the store has; damaged results are left out.

    Args:
        record: The sweep.
        store: The sweep's store.
        known: Points read before: they are not read again once all of them was measured, and new ones are added.
    """
    known = {} if known is None else known
    unread = [point for curve in record.curves for point in curve.points if not _all_known(point, known)]
    manifests, damaged = store.manifests(store.present(key for point in unread for key in point.keys))
    if damaged:
        _log.warning(
            "%s: %d damaged results are left out (%s); `orchard run` of the sweep computes them again",
            store.uri,
            len(damaged),
            ", ".join(sorted(damaged)[:3]),
        )
    for point in unread:
        if point.key in manifests:
            further = [manifests[key] for _, key in point.further if key in manifests]
            known[point] = point_of(point.compression, manifests[point.key], further)
    return tuple(
        Curve(
            plan=curve,
            points=tuple(
                known[point]
                for point in sorted(curve.points, key=lambda planned: planned.compression)
                if point in known
            ),
        )
        for curve in record.curves
    )


def _all_known(planned: PlannedPoint, known: Mapping[PlannedPoint, Point]) -> bool:
    return planned in known and len(known[planned].further) == len(planned.further)
