"""The exact change of the loss when one unit is removed.

A unit is removed as in pruning: with all its entries, norms and biases included. It costs units x images forward
passes; so few images are the rule.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workers.channels import ChannelGroup, ChannelMap, load_resized, mask, select
from workers.inputs import Inputs, call
from workers.observations._base import Batches, Observed, observation
from workers.observations.replay import KeptPass


@observation(needs="labels")
def removals(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`loss_change`: mean loss without the unit less the mean loss of the whole network. See `Observation`.

    All feature maps of a batch stay in memory. The only unit of a group, which cannot be removed, has 0.
    """
    state, groups = module.state_dict(), [group for group in channel_map.groups if group.width > 1]
    whole: list[Tensor] = []
    without: dict[str, list[list[Tensor]]] = {group.name: [[] for _ in range(group.width)] for group in groups}
    with torch.inference_mode():
        call(
            module, batches.example
        )  # some detectors compute their scales in the first pass, which others do not repeat
        for images, targets in batches:
            inputs = batches.inputs(images, targets)
            kept = KeptPass(module, state, inputs)
            whole.append(batches.total_loss(kept.output, targets))
            for group in groups:
                run = _runner(module, channel_map, group, state, kept, inputs)
                for unit in range(group.width):
                    batches.poll()
                    others = [other for other in range(group.width) if other != unit]
                    output = run(others)
                    without[group.name][unit].append(batches.total_loss(output, targets))
        loss = float(torch.stack(whole).sum())
        changes = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
        for name, units in without.items():
            losses = torch.stack([torch.stack(each).sum() for each in units]).cpu()
            changes[name] = losses / len(batches) - loss / len(batches)
    return {"loss_change": changes}


def _runner(
    module: nn.Module,
    channel_map: ChannelMap,
    group: ChannelGroup,
    state: Mapping[str, Tensor],
    kept: KeptPass,
    inputs: Inputs,
) -> Callable[[list[int]], Any]:
    """From the units of a group that stay to what the network without the others returns.

    The others are zeros in a pass that starts at the first layer that uses the group; zeros among what statistics are
    taken over are not what pruning makes of them, so there the network is cut.
    """
    if not group.normalised:
        start = kept.first_use(_owned(channel_map, group.name))
        return lambda units: kept.run(mask(state, channel_map, {group.name: units}), start)
    smaller = copy.deepcopy(module)

    def run(units: list[int]) -> Any:
        load_resized(smaller, select(state, channel_map, {group.name: units}))
        return call(smaller, inputs)

    return run


def _owned(channel_map: ChannelMap, name: str) -> list[str]:
    return list(dict.fromkeys(owned.tensor for owned in channel_map.owned_axes() if owned.group.name == name))
