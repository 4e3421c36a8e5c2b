"""The widths that CP-SAT chooses under four limits at once: their quality, solving time, and proven optimality gap.

ResNet-50 (torchvision, random weights, l1 scores) at 224 x 224: compression 40 %, at most half of the MACs, half of the
latency as profiled here (one image, one thread) and 55 % of the peak memory; widths are multiples of 8. Compared with
the best uniform allocation that meets the same limits: the largest common fraction, widths rounded down. Figures, with
unnormalised scores:

- seconds: CPU seconds, of one thread, of building the model and solving it;
- gap: the proven bound over the score that is kept, minus 1;
- score_ratio_to_uniform: score that is kept over that of the best uniform allocation.

The same with scores relative to their group's mean stands beside them (`*_normalized`). --quick: ResNet-18.

    python -m benchmarks.allocation [--quick]
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from workers.allocation import AllocationProblem, latency_cost
from workers.allocation.best_score import best_widths, limits_of
from workers.allocation.limits import Limit
from workers.allocation.ranking import comparable
from workers.channels import ChannelMap, Cost, ParameterCount, cost_of_tensors, find_groups, live_activations
from workers.criteria.filters import absolute_sums
from workers.measure.layers import time_layers
from workers.models import build

_SHAPE = (3, 224, 224)
_PARTS = 4096  # of the common fraction's range


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRow:
    """The result of one problem."""

    seconds: float
    gap: float
    score_ratio_to_uniform: float
    used: dict[str, float]


def problem_of(module: nn.Module, channel_map: ChannelMap) -> AllocationProblem:
    """The target of 40 % with everything to look at."""
    times = time_layers(module, _SHAPE, batch_size=1, device=torch.device("cpu"), should_stop=lambda: False)
    scores = absolute_sums(module.state_dict(), channel_map)
    stored = Cost(channel_map.widths(), *cost_of_tensors(channel_map, dict.fromkeys(channel_map.shapes, 4.0)))
    return AllocationProblem(
        channel_map=channel_map,
        target=0.4,
        cost=ParameterCount(channel_map),
        scores=lambda: scores,
        latency=lambda: latency_cost(channel_map, times.layers, times.overhead_s),
        memory=lambda batch_size: (stored, live_activations(module, _SHAPE, channel_map, weight=4.0 * batch_size)),
    )


def best_uniform(channel_map: ChannelMap, limits: Sequence[Limit]) -> dict[str, int]:
    """The widths at the largest common fraction that meets all limits."""

    def widths_at(part: int) -> dict[str, int]:
        return {name: max(1, width * part // _PARTS) for name, width in channel_map.widths().items()}

    few, many = 1, _PARTS
    while many - few > 1:
        middle = (few + many) // 2
        met = all(limit.met(widths_at(middle)) for limit in limits)
        few, many = (middle, many) if met else (few, middle)
    return widths_at(few)


def measure(problem: AllocationProblem, limits: Sequence[Limit], normalize: Literal["none", "group"]) -> AllocationRow:
    """Solve it, and compare."""
    started = time.process_time()
    solution = best_widths(problem, limits, multiple=8, floor=0.1, normalize=normalize)
    seconds = time.process_time() - started
    missed = [limit.name for limit in limits if not limit.met(solution.widths)]
    if missed:
        raise AssertionError(f"the widths break the limits on {missed}")
    scores = comparable(problem.scores(), normalize)
    uniform = sum(
        float(scores[name].sort(descending=True).values[:width].sum())
        for name, width in best_uniform(problem.channel_map, limits).items()
    )
    return AllocationRow(
        seconds=round(seconds, 2),
        gap=round(solution.gap, 5),
        score_ratio_to_uniform=round(solution.score / uniform, 3),
        used={limit.name: round(limit.value(solution.widths) / limit.value({}), 4) for limit in limits},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ResNet-18.")
    network = "torchvision:resnet18" if parser.parse_args().quick else "torchvision:resnet50"
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = build(network).eval()
    problem = problem_of(module, find_groups(module, _SHAPE))
    limits = limits_of(problem, macs=0.5, latency=0.5, memory=0.55, batch_size=1)
    plain, normalized = (measure(problem, limits, normalize) for normalize in ("none", "group"))
    print(f"{network}: of each limit's whole remain {plain.used}; normalized {normalized.used}")
    print(
        json.dumps(
            {
                "seconds": plain.seconds,
                "gap": plain.gap,
                "score_ratio_to_uniform": plain.score_ratio_to_uniform,
                "seconds_normalized": normalized.seconds,
                "gap_normalized": normalized.gap,
                "score_ratio_to_uniform_normalized": normalized.score_ratio_to_uniform,
            }
        )
    )


if __name__ == "__main__":
    main()
