"""Which of several networks no other one dominates, by whatever they were measured in. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from jobs.metric import Metric

LATENCY = "latency_p50_s"
"""Metric of timed forward passes; a variant names runtime and batch: `latency_p50_s/onnxruntime/b1`."""

COSTS = ("params", "macs")
"""The costs that networks are compared in, besides all latencies."""

_Name = TypeVar("_Name", bound=Hashable)


def undominated(measured: Mapping[_Name, Mapping[str, float]], metric: Metric) -> list[_Name]:
    """The names of those that no other one dominates: the Pareto front.

    One beats another that it equals or betters in the metric and in every cost (`COSTS`, median latencies) that all of
    them have, and betters in one. A cost that one of them lacks is ignored.

    Args:
        measured: By name: what was measured, the metric included.
        metric: What they are judged by.
    """
    known = dict.fromkeys(name for each in measured.values() for name in each)
    costs = [
        name
        for name in known
        if (name in COSTS or name.startswith(LATENCY)) and all(name in each for each in measured.values())
    ]
    losses = {
        name: (metric.cost(each[metric.name]), *(each[cost] for cost in costs)) for name, each in measured.items()
    }
    front: list[_Name] = []
    for name in sorted(losses, key=losses.__getitem__):  # a dominating one sorts first
        if not any(_dominates(losses[other], losses[name]) for other in front):
            front.append(name)
    return front


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
