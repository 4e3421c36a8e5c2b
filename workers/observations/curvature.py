"""The curvature of the loss by single weights: the diagonal of the empirical Fisher information.

A separate observation: it needs the gradient of every image alone, a backward pass each.
"""

import copy

import torch
from torch import Tensor, nn

from workers.channels import ChannelMap, owned_slices
from workers.inputs import call, one_by_one
from workers.observations._base import Batches, Observed, observation


@observation(needs="labels")
def curvature(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`curvature`: the sum of w² h over all that a unit owns. See `Observation` for the arguments.

    h, the mean over the images of the squared derivative of the loss by w, is the diagonal of the empirical Fisher
    information, which stands for that of the Hessian.
    """
    module = copy.deepcopy(module).requires_grad_(True)  # frozen parameters included
    parameters = dict(module.named_parameters())
    weights = {name: parameters[name] for name in channel_map.tensors if name in parameters}
    squares = [torch.zeros_like(weight, dtype=torch.float64) for weight in weights.values()]
    for inputs, targets in batches:
        for sample, target in zip(one_by_one(inputs), targets.split(1), strict=True):
            with torch.enable_grad():
                outputs = call(module, batches.inputs(sample, target))
                loss = batches.total_loss(outputs, target)
            slopes = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
            for square, slope in zip(squares, slopes, strict=True):
                square.addcmul_(slope.double(), slope.double())
    terms = {
        name: weight.detach().double().square() * square / len(batches)
        for (name, weight), square in zip(weights.items(), squares, strict=True)
    }
    totals: dict[str, Tensor] = {
        group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups
    }
    for owned in channel_map.owned_axes():
        if owned.tensor in terms:
            totals[owned.group.name] += owned_slices(terms, owned).sum(1).cpu()
    return {"curvature": totals}
