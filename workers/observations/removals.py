"""The exact change of the loss when one unit is removed: all images once more for every unit.

Removal is what pruning does: everything that the unit owns is zeroed (`channels.mask`), norms and biases included. It
costs units x images forward passes, so few images are the rule.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from workers.channels import ChannelMap, mask
from workers.observations._base import Batches, Observed, observation, total_loss


@observation(needs="labels")
def removals(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`loss_change`: mean loss without the unit less the mean loss of the whole network. See `Observation`.

    The images stay in memory. The only unit of a group, which cannot be removed, has 0.
    """
    kept = list(batches)
    state = module.state_dict()

    def mean_loss(tensors: dict[str, Tensor]) -> float:
        losses = [total_loss(functional_call(module, tensors, (images,)), labels) for images, labels in kept]
        return float(torch.stack(losses).sum()) / len(batches)

    changes = {}
    with torch.inference_mode():
        whole = mean_loss(dict(state))
        for group in channel_map.groups:
            values = [0.0] * group.width
            for unit in range(group.width) if group.width > 1 else []:
                batches.poll()
                others = [other for other in range(group.width) if other != unit]
                values[unit] = mean_loss(mask(state, channel_map, {group.name: others})) - whole
            changes[group.name] = torch.tensor(values, dtype=torch.float64)
    return {"loss_change": changes}
