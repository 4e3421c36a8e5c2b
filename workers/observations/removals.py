"""The exact change of the loss when one unit is removed.

A unit is removed as in pruning: all its entries are zeroed (`channels.mask`), norms and biases included. It costs units
x images forward passes, each from the first layer that uses the unit; so few images are the rule.
"""

import torch
from torch import Tensor, nn

from workers.channels import ChannelMap, mask
from workers.inputs import call
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
        for inputs, targets in batches:
            kept = KeptPass(module, state, batches.inputs(inputs, targets))
            whole.append(batches.total_loss(kept.output, targets))
            for group in groups:
                start = kept.first_use(_owned(channel_map, group.name))
                for unit in range(group.width):
                    batches.poll()
                    others = [other for other in range(group.width) if other != unit]
                    output = kept.run(mask(state, channel_map, {group.name: others}), start)
                    without[group.name][unit].append(batches.total_loss(output, targets))
        loss = float(torch.stack(whole).sum())
        changes = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
        for name, units in without.items():
            losses = torch.stack([torch.stack(each).sum() for each in units]).cpu()
            changes[name] = losses / len(batches) - loss / len(batches)
    return {"loss_change": changes}


def _owned(channel_map: ChannelMap, name: str) -> list[str]:
    return list(dict.fromkeys(owned.tensor for owned in channel_map.owned_axes() if owned.group.name == name))
