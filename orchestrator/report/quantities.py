"""What points can be compared in, as people read it: the objectives' metrics and all costs that were measured. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs.metric import APART, PREDICTED, STOPPED, Metric
from orchestrator.report.csv_files import all_metric_keys
from orchestrator.results import Curve, by_objective, variant_keys

MACS_REMOVED = "macs_removed"
"""The fraction of the MACs that was removed: no metric of its own, but one less the inverse of `speedup`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One axis.

    Attributes:
        key: Its metric's.
        label: With the unit, at the beginning of a line.
        scale: Stored values times this are in that unit.
        digits: Decimal places that people read.
        higher: Whether more of it is better.
        is_cost: Whether it is what a network costs, not how well it does.
    """

    key: str
    label: str
    scale: float = 1.0
    digits: int = 3
    higher: bool = False
    is_cost: bool = True


_COSTS = (
    Quantity(key="compression", label="Parameters removed (%)", scale=100, digits=1, higher=True),
    Quantity(key=MACS_REMOVED, label="MACs removed (%)", scale=100, digits=1, higher=True),
    Quantity(key="params", label="Parameters (thousand)", scale=1e-3, digits=1),
    Quantity(key="macs", label="MACs (million)", scale=1e-6),
    Quantity(key="size_bytes", label="Size of the weights (MB)", scale=1e-6),
    Quantity(key="peak_memory_bytes", label="Peak memory of one image (MB)", scale=1e-6),
    Quantity(key="compression_ratio", label="Parameters before / after", digits=2, higher=True),
    Quantity(key="speedup", label="MACs before / after", digits=2, higher=True),
    Quantity(key=PREDICTED, label="Speedup, predicted", digits=2, higher=True),
    Quantity(key=STOPPED, label="Training stopped after (% of its steps)", scale=100, digits=0, higher=True),
    Quantity(key=APART, label="Outputs' difference from float32 (%)", scale=100, digits=2),
    Quantity(key="latency_p50_s", label="Latency, median (ms)", scale=1e3),
    Quantity(key="latency_p90_s", label="Latency, 90th percentile (ms)", scale=1e3),
    Quantity(key="latency_mean_s", label="Latency, mean (ms)", scale=1e3),
    Quantity(key="speedup_measured", label="Speedup, measured", digits=2, higher=True),
    Quantity(key="speedup_spread", label="Speedup, spread", digits=2),
    Quantity(key="peak_memory_measured_bytes", label="Peak memory, measured (MB)", scale=1e-6),
    Quantity(key="energy_j", label="Energy of a pass (J)"),
    Quantity(key="training_epochs", label="Epochs trained", digits=1),
    Quantity(key="training_macs", label="MACs of training (billion)", scale=1e-9, digits=1),
    Quantity(key="duration_s", label="Evaluation (s)", digits=2),
)


def quantities(curves: Sequence[Curve]) -> tuple[Quantity, ...]:
    """Those that some point has measured: metrics first, the primary ones before all, then costs."""
    metrics = [metric for objective in by_objective(curves) for metric in objective]
    primary = [objective[0] for objective in by_objective(curves)]
    told: dict[str, Quantity] = {}
    for metric in dict.fromkeys((*primary, *metrics)):
        told.setdefault(metric.name, _quantity(metric, metric.name, ""))
    for metric in dict.fromkeys(primary):
        told.setdefault(metric.best_name, _quantity(metric, metric.best_name, ", best on validation"))
        told.setdefault(metric.ema_name, _quantity(metric, metric.ema_name, ", averaged weights"))
    told["loss"] = Quantity(key="loss", label="Loss", is_cost=False)
    told |= {each.key: each for each in _COSTS}
    known = {name for curve in curves for point in curve.points for name in point.all_metrics}
    known |= {MACS_REMOVED} if "speedup" in known else set()
    keys = (*told, *all_metric_keys(curves), *variant_keys(curves))
    found = [_variant(key, told) for key in dict.fromkeys(keys) if key in known]
    return tuple(sorted(found, key=lambda each: each.is_cost))


def _quantity(metric: Metric, key: str, words: str) -> Quantity:
    unit = f" ({metric.unit})" if metric.unit else ""
    return Quantity(
        key=key,
        label=f"{metric.title}{words}{unit}",
        scale=metric.scale,
        digits=metric.digits + 1,
        higher=metric.direction == "higher",
        is_cost=False,
    )


def _variant(key: str, told: "dict[str, Quantity]") -> Quantity:
    """A quantity, or what it is in a runtime, in 8 bits, or on a test set: `latency_p50_s/onnxruntime/b1`."""
    if key in told:
        return told[key]
    name, _, variant = key.partition("/")
    base = told.get(name, Quantity(key=name, label=name))
    label, separator, unit = base.label.partition(" (")
    return Quantity(
        key=key,
        label=f"{label}, {variant.replace('/', ' ')}{separator}{unit}" if variant else label,
        scale=base.scale,
        digits=base.digits,
        higher=base.higher,
        is_cost=base.is_cost,
    )


def measured(metrics: Iterable[tuple[str, float]]) -> dict[str, float]:
    """A point's metrics, with what follows from them."""
    found = dict(metrics)
    if found.get("speedup"):
        found[MACS_REMOVED] = 1 - 1 / found["speedup"]
    return found
