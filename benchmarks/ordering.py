"""How near the channel orders come to the best known ones, how fast, and how near they are proven to be.

Instances: channels drawn from random smooth manifolds (8 latent dimensions, 1,152 features), n = 64 to 2,048, and,
where the trained networks are given, groups of VGG-16-BN. Side by side on each: Orchard's portfolio at effort
`standard` and at `fast`, LKH (by `elkai`, 10 runs as is its default, one for n > 512), OR-Tools' routing solver alone
for 10 seconds, nearest neighbour, and plain 2-opt with Or-opt from it.
Times are processor seconds of one thread. Figures of the effort `standard`, over n <= 512 unless named:

- gap_mean: mean length above LKH's, in %;
- time_ratio_to_lkh: the largest ratio of its time to what it is allowed, LKH's time or 2 s, whichever is more;
- certified_gap_max: the largest proven gap, in %;
- gap_2048, seconds_2048, certified_gap_2048: length above LKH's in %, time, and proven gap in % of n = 2,048;
- peak_bytes: of the process, all of it;
- resnet50_seconds_serial, resnet50_seconds_parallel, resnet50_speedup: wall time of all channel groups of ResNet-50
  with random weights, in the tasks of a sweep, in one worker process and in two (`benchmarks.ordering_networks`).

Without elkai the comparison with LKH is left out (null); `uv pip install --group benchmarks` brings it. It is no part
of Orchard: its licence is for research. --quick: n <= 256, no routing, no ResNet-50, within a minute.

    python -m benchmarks.ordering [--quick] [--weights DIR] [--table FILE]
"""

import argparse
import importlib.util
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from benchmarks.ordering_networks import parallel_figures
from jobs.spec.effort import EFFORTS, Effort
from workers.channels import find_groups, fold_model
from workers.integral.slices import group_slices
from workers.models import build, load_weights
from workers.ordering import pairwise_distances, path_length, solve_path
from workers.ordering.local_search import nearest_neighbour
from workers.ordering.path import Matrix
from workers.ordering.perturbation import iterated_local_search

SIZES = (64, 128, 256, 512, 1024, 2048)
VGG_GROUPS = (0, 3, 5, 8, 12)
_ALLOWED_S = 2.0
_UNITS = 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingRow:
    """What one solver did on one instance: the path's length, processor seconds, and the proven gap in %."""

    instance: str
    n: int
    solver: str
    length: float
    solve_s: float
    certified_gap: float | None = None


def manifold(n: int, seed: int) -> torch.Tensor:
    """Rows for n channels of 1,152 features on a random smooth manifold of 8 dimensions, with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(n, 8, generator=generator)
    bent = torch.tanh(latent @ torch.randn(8, 64, generator=generator))
    return bent @ torch.randn(64, 1152, generator=generator) + 0.1 * torch.randn(n, 1152, generator=generator)


def instances(quick: bool, weights: str | None) -> Iterator[tuple[str, Matrix]]:
    """Names and distances."""
    for n in SIZES:
        if n <= 256 or not quick:
            for seed in range(2 if n <= 512 and not quick else 1):
                yield f"manifold-{n}-{seed}", pairwise_distances([manifold(n, seed)])
    if weights is not None:
        module = build("cifar_vgg16_bn")
        load_weights(module, f"{weights}/vgg16_bn_cifar10_fp16.safetensors")
        fold_model(module.eval(), (3, 32, 32))
        channel_map = find_groups(module, (3, 32, 32))
        for index in VGG_GROUPS:
            name = channel_map.groups[index].name
            yield f"vgg16_bn-{name}", pairwise_distances(group_slices(module.state_dict(), channel_map, index))


def by_lkh(distances: Matrix) -> list[int]:
    """LKH's tour through the channels and a virtual city, opened there."""
    import elkai

    n = len(distances)
    padded = np.zeros((n + 1, n + 1), dtype=int)
    padded[:n, :n] = np.rint(distances / distances.max() * _UNITS)
    tour = elkai.DistanceMatrix(padded.tolist()).solve_tsp(10 if n <= 512 else 1)[:-1]
    start = tour.index(n)
    return [*tour[start + 1 :], *tour[:start]]


def by_routing(distances: Matrix) -> list[int]:
    """OR-Tools' routing solver with guided local search, alone, for 10 seconds."""
    n = len(distances)
    padded = np.zeros((n + 1, n + 1), dtype=np.int64)
    padded[:n, :n] = np.rint(distances / distances.max() * _UNITS)
    manager = pywrapcp.RoutingIndexManager(n + 1, 1, n)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(padded.tolist()))
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.seconds = 10
    answer = model.SolveWithParameters(parameters)
    order, index = [], answer.Value(model.NextVar(model.Start(0)))
    while not model.IsEnd(index):
        order.append(manager.IndexToNode(index))
        index = answer.Value(model.NextVar(index))
    return order


def by_two_opt(distances: Matrix) -> list[int]:
    """2-opt and Or-opt from the nearest neighbour's path."""
    return iterated_local_search(distances, nearest_neighbour(distances, 0), seed=0, num_kicks=0)


def peers(quick: bool) -> dict[str, Callable[[Matrix], list[int]]]:
    """Who else solves the instances; LKH where it is installed."""
    chosen: dict[str, Callable[[Matrix], list[int]]] = {}
    if importlib.util.find_spec("elkai"):
        chosen["lkh"] = by_lkh
    if not quick:
        chosen["routing"] = by_routing
    return {**chosen, "nearest": lambda distances: nearest_neighbour(distances, 0), "2-opt": by_two_opt}


_EFFORTS: tuple[Effort, ...] = ("fast", "standard")


def measure(instance: str, distances: Matrix, quick: bool) -> Iterator[OrderingRow]:
    """All solvers on one instance. Times are of the processor: each has one thread, and others may be at work."""
    n = len(distances)
    for effort in _EFFORTS:
        started = time.process_time()
        found = solve_path(distances, seed=0, limits=EFFORTS[effort])
        seconds = time.process_time() - started
        yield OrderingRow(
            instance=instance, n=n, solver=effort, length=found.length, solve_s=seconds, certified_gap=100 * found.gap
        )
    for solver, solve in peers(quick).items():
        started = time.process_time()
        order = solve(distances)
        seconds = time.process_time() - started
        yield OrderingRow(instance=instance, n=n, solver=solver, length=path_length(distances, order), solve_s=seconds)


def figures(rows: list[OrderingRow]) -> dict[str, float | int | None]:
    """The keys of the benchmark."""
    ours = [row for row in rows if row.solver == "standard"]
    lkh = {row.instance: row for row in rows if row.solver == "lkh"}
    above = {row.instance: 100 * (row.length / lkh[row.instance].length - 1) for row in ours if row.instance in lkh}
    small = [row for row in ours if row.n <= 512]
    ratios = [row.solve_s / max(_ALLOWED_S, lkh[row.instance].solve_s) for row in small if row.instance in lkh]
    largest = next((row for row in ours if row.n == 2048), None)
    return {
        "gap_mean": round(mean(above[row.instance] for row in small), 3) if lkh else None,
        "time_ratio_to_lkh": round(max(ratios), 3) if ratios else None,
        "certified_gap_max": round(max(row.certified_gap or 0.0 for row in small), 3),
        "gap_2048": round(above[largest.instance], 3) if largest and lkh else None,
        "seconds_2048": round(largest.solve_s, 1) if largest else None,
        "certified_gap_2048": round(largest.certified_gap or 0.0, 3) if largest else None,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def table(rows: list[OrderingRow]) -> str:
    """A line per instance: of each solver, how far above the shortest path of all (in %), and its seconds."""
    solvers = list(dict.fromkeys(row.solver for row in rows))
    lines = ["| instance | certified gap | " + " | ".join(solvers) + " |", "|---" * (len(solvers) + 2) + "|"]
    for instance in dict.fromkeys(row.instance for row in rows):
        found = {row.solver: row for row in rows if row.instance == instance}
        best = min(row.length for row in found.values())
        cells = [f"{100 * (row.length / best - 1):.2f} % in {row.solve_s:.1f} s" for row in found.values()]
        lines.append(f"| {instance} | {found['standard'].certified_gap:.2f} % | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all solvers on all instances, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weights", default=os.environ.get("ORCHARD_WEIGHTS"), help="Folder with the checkpoints.")
    parser.add_argument("--table", type=Path, help="Also write every length and time there, as Markdown.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = None if arguments.quick else arguments.weights
    rows = [
        row
        for instance, distances in instances(arguments.quick, weights)
        for row in measure(instance, distances, arguments.quick)
    ]
    if arguments.table:
        arguments.table.write_text(table(rows))
    networks = {} if arguments.quick else parallel_figures()
    print(json.dumps({**figures(rows), **networks}))


if __name__ == "__main__":
    main()
