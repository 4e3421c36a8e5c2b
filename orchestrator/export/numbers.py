"""The numbers of a model card: every metric of a network, over the seeds, beside the dense network's."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jobs.metric import APART, PREDICTED, STOPPED, Metric
from orchestrator.export.chosen import ChosenNetwork
from orchestrator.results.selection import Candidate

_LABELS = {
    "loss": "loss",
    "compression": "compression reached",
    "compression_ratio": "parameters before to parameters after",
    "speedup": "speedup by multiply-accumulates",
    PREDICTED: "speedup that the profile predicted",
    "params": "parameters",
    "macs": "multiply-accumulates of one image",
    "size_bytes": "size",
    "peak_memory_bytes": "peak memory, computed, of one image",
    "training_epochs": "epochs trained since the model's own weights",
    STOPPED: "stopped in a race, after this fraction of its training",
    APART: "evaluated otherwise than in float32: largest difference of outputs, relative to the largest output",
    "latency_p50_s": "latency, median",
    "latency_p90_s": "latency, 90th percentile",
    "latency_mean_s": "latency, mean",
    "speedup_measured": "measured speedup",
    "speedup_spread": "measured speedup, range between the quartiles",
    "peak_memory_measured_bytes": "peak memory, measured",
    "energy_j": "energy of a pass",
}
"""What the metric keys are called here; those that are not listed are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """A metric as texts: of the network itself, over its seeds, and of the dense network over its seeds."""

    label: str
    own: str
    over_seeds: str
    dense: str


def metric_rows(chosen: ChosenNetwork) -> list[MetricRow]:
    """All metrics of a network that people read, in the order in which they were measured."""
    point, candidate = chosen.selected.point, chosen.selected.candidate
    rows = []
    for name, value in point.all_metrics.items():
        label = _label(name, point.objective)
        if label is None:
            continue
        over_seeds = _over_seeds(candidate, name, point.objective)
        dense = _over_seeds(chosen.dense, name, point.objective) if chosen.dense else ""
        own = metric_text(name, value, point.objective)
        rows.append(MetricRow(label=label, own=own, over_seeds=over_seeds, dense=dense))
    return rows


def metric_text(name: str, value: float, objective: Sequence[Metric]) -> str:
    """A metric's value as people read it, with its unit."""
    base = name.partition("/")[0]
    for metric in objective:
        if base in (metric.name, metric.best_name, metric.ema_name):
            return f"{metric.text(value)} {metric.unit}".rstrip()
    match base:
        case "compression":
            return f"{100 * value:.1f} %"
        case "params" | "macs" | "training_epochs":
            return f"{value:,.0f}"
        case "energy_j":
            return f"{value:.3g} J"
        case "compression_ratio":
            return f"{value:.2f}"
    if base.endswith("_bytes"):
        return size_text(value)
    if base.endswith("_s"):
        return f"{1000 * value:.3g} ms"
    return f"{value:.2f}x" if base.startswith("speedup") else f"{value:.4g}"


def _label(name: str, objective: Sequence[Metric]) -> str | None:
    base, _, variant = name.partition("/")
    labels = _LABELS | {metric.name: metric.label for metric in objective}
    labels |= {objective[0].best_name: f"{objective[0].label}, weights of the best epoch"}
    labels |= {objective[0].ema_name: f"{objective[0].label}, moving average of the weights"}
    if base not in labels:
        return None
    return f"{labels[base]} ({variant.replace('/', ', ')})" if variant else labels[base]


def _over_seeds(candidate: Candidate, name: str, objective: Sequence[Metric]) -> str:
    """Mean ± standard deviation over the seeds that measured it; empty where none did."""
    points = [point for point in candidate.points.values() if name in point.all_metrics]
    if not points:
        return ""
    values = [point.all_metrics[name] for point in points]
    mean, deviation = fmean(values), stdev(values) if len(values) > 1 else 0.0
    text = metric_text(name, mean, objective)
    return f"{text} ± {metric_text(name, deviation, objective)}" if deviation else text


def size_text(size_bytes: float) -> str:
    """A size as people read it."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"
