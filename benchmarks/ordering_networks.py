"""All channel groups of large networks, ordered task by task as a sweep would: how long, how certain, how parallel.

Networks of torchvision with their random initial weights (trained ones are not part of the project), batch norms
folded. Tasks are those of `jobs.stages.channels.PermuteParams`, largest first, in worker processes of one thread each
that have built the network before the clock starts. Prints a line per network and width, as Markdown: groups, largest
certified gap in %, seconds of wall time in sum.

    python -m benchmarks.ordering_networks NETWORK ... [--effort fast] [--workers 2]
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch
import torchvision
from torch import nn

from jobs.identity import Json
from jobs.spec.effort import EFFORTS, Effort
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.channels import OrderingParams, OrderParams, PermuteParams
from workers.channels import ChannelMap, find_groups, fold_model
from workers.integral.slices import group_slices
from workers.ordering import order_channels

_SHAPE = (3, 224, 224)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One ordered group: its channels, the proven gap in %, and seconds of wall time."""

    width: int
    certified_gap: float
    solve_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRun:
    """All groups of a network: a row each, the tasks that they were ordered in, and seconds of wall time in all."""

    rows: tuple[GroupRow, ...]
    num_tasks: int
    wall_s: float


def order_network(network: str, effort: Effort, workers: int) -> NetworkRun:
    """Order all groups of a torchvision network in so many processes."""
    groups: list[dict[str, Json]] = [
        {"name": group.name, "width": group.width} for group in _analysed(network)[1].groups
    ]
    ordering = OrderingParams(method="tsp", metric="l1", normalize="none", limits=EFFORTS[effort], ortools="any")
    permute = PermuteParams(network=ArtifactKey(network), ordering=ordering, seed=0)
    branches = sorted(permute.branches({"groups": groups}), key=lambda branch: -branch.work)
    tasks = [branch.params for branch in branches]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare, (network,)) as pool:
        list(pool.map(_wait, [1.0] * workers))  # every process has built the network
        started = time.perf_counter()
        rows = [row for found in pool.map(_order, tasks) for row in found]
        wall_s = time.perf_counter() - started
    return NetworkRun(rows=tuple(rows), num_tasks=len(tasks), wall_s=wall_s)


def parallel_figures(workers: int = 2) -> dict[str, float]:
    """Seconds for all groups of ResNet-50 at effort `standard`, in one process and in several, and the speed-up."""
    serial, parallel = (order_network("resnet50", "standard", count).wall_s for count in (1, workers))
    return {
        "resnet50_seconds_serial": round(serial, 1),
        "resnet50_seconds_parallel": round(parallel, 1),
        "resnet50_speedup": round(serial / parallel, 2),
    }


def listing(network: str, run: NetworkRun) -> str:
    """A line per width of a network, and one for all of it."""
    widths = sorted({row.width for row in run.rows})
    lines = [_line(network, str(width), [row for row in run.rows if row.width == width]) for width in widths]
    return "\n".join([*lines, _line(network, f"all, {run.num_tasks} tasks, wall {run.wall_s:.0f} s", run.rows)])


def _line(network: str, width: str, rows: Sequence[GroupRow]) -> str:
    gap, seconds = max(row.certified_gap for row in rows), sum(row.solve_s for row in rows)
    return f"| {network} | {width} | {len(rows)} | {gap:.2f} % | {seconds:.1f} |"


_built: dict[str, tuple[nn.Module, ChannelMap]] = {}  # in a worker process: its one network


def _analysed(network: str) -> tuple[nn.Module, ChannelMap]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = torchvision.models.get_model(network, weights=None).eval()
    fold_model(module, _SHAPE)
    return module, find_groups(module, _SHAPE)


def _prepare(network: str) -> None:
    _built[network] = _analysed(network)


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _order(params: StageParams) -> list[GroupRow]:
    if not isinstance(params, OrderParams):
        raise TypeError(f"{type(params).__name__} orders no channels")
    module, channel_map = _built[params.network]
    index_of = {group.name: index for index, group in enumerate(channel_map.groups)}
    rows = []
    for name in params.groups:
        started = time.perf_counter()
        slices = group_slices(module.state_dict(), channel_map, index_of[name])
        found = order_channels(slices, method="tsp", seed=params.seed or 0, limits=params.ordering.limits)
        seconds = time.perf_counter() - started
        rows.append(GroupRow(width=len(found.order), certified_gap=100 * found.gap, solve_s=seconds))
    return rows


def main() -> None:
    """Order the networks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", help="Of torchvision, such as vgg19.")
    parser.add_argument("--effort", default="standard", choices=("fast", "standard", "thorough"))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print("| network | channels | groups | largest certified gap | seconds |\n|---|---|---|---|---|")
    for network in arguments.networks:
        print(listing(network, order_network(network, arguments.effort, arguments.workers)), flush=True)


if __name__ == "__main__":
    main()
