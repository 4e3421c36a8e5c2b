"""Curves and sweeps to rank, made up: networks of which only sizes, results and durations are known."""

from collections.abc import Mapping

from jobs.metric import Metric
from jobs.spec.needs import DataNeed
from orchestrator.leaderboard.entries import Entry, Measured, RankedSweep
from orchestrator.results import EARLIER, Point

ACCURACY = EARLIER[0]


def point(ratio: float, value: float, *, key: str = "", metric: Metric = ACCURACY) -> Point:
    """A network that is so many times smaller than the dense one, in MACs; in parameters, half as many times."""
    metrics = {metric.name: value, "speedup": ratio, "compression_ratio": ratio / 2}
    asked = round(1 - 1 / ratio, 6)
    return Point(asked=asked, key=key or f"{ratio}:{value}", metrics=metrics, created_s=0.0, objective=(metric,))


def entry(
    method: str,
    seeds: Mapping[int, Mapping[float, float]],
    *,
    sweep: str = "first",
    seconds: float | None = 10.0,
    dense: float | None = 0.9,
    shared: bool = False,
    metric: Metric = ACCURACY,
    need: DataNeed = DataNeed.NONE,
    planned: tuple[int, ...] = (),
) -> Entry:
    """A method.

    Args:
        method: Its name.
        seeds: Seed -> times fewer MACs -> the metric.
        sweep: Its sweep.
        seconds: How long each network took.
        dense: The dense network's metric, with every seed.
        shared: All seeds have one network for each size.
        metric: The metric.
        need: The data that it needs.
        planned: The seeds of its sweep; by default those that are measured.
    """
    networks = {
        seed: tuple(
            Measured(
                point=point(ratio, value, key=f"{method}/{'all' if shared else seed}/{ratio}", metric=metric),
                seconds=seconds,
            )
            for ratio, value in points.items()
        )
        for seed, points in seeds.items()
    }
    return Entry(
        sweep=sweep,
        method=method,
        protocol="none",
        need=need,
        planned=planned or tuple(seeds),
        networks=networks,
        dense={} if dense is None else dict.fromkeys(seeds, dense),
        metric=metric,
    )


def sweep(
    *entries: Entry,
    name: str = "first",
    dataset: str = "digits",
    data: Mapping[str, object] | None = None,
    digest: str = "d",
    seed: int = 0,
    content: str = "c",
) -> RankedSweep:
    """A sweep of one model, `net`, with the digest of its dense network of one seed and the fingerprint of its data."""
    place = ("net", dataset)
    return RankedSweep(
        name=name,
        yaml=f"name: {name}\n",
        entries={place: entries},
        data={place: data or {"dataset": dataset}},
        contents={place: content},
        dense={(*place, seed): digest},
    )
