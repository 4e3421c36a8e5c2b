"""First-order change of the loss when a unit is removed: derivatives by gates on units, and by weights.

A gate is a factor of 1 on the feature map of a unit, at its watch point. The derivative of the loss by the gate
is sum(a dL/da) over the map, which without norm and bias is sum(w dL/dw) over the unit's filter (Molchanov et al. 2019,
arXiv:1906.10771, equation 9). A gate has one value per image, so that one backward pass gives it for every image.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.channels import ChannelMap
from workers.criteria.filters import absolute_sums, filter_names
from workers.inputs import Inputs, call, one_by_one
from workers.observations._base import Batches, Observed, observation
from workers.observations.units import sum_per_unit
from workers.observations.watching import WatchPoint, find_points, watching


@observation(needs="labels")
def gradients(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """Three statistics for every unit. See `Observation` for the arguments.

    `square`: the mean over the images of the squared derivative by the gate. `batch_square`: the mean over the batches,
    by their sizes, of the squared derivative of the batch's mean loss. `connection`: the sum of |w dL/dw| over the
    unit's filter, with L the mean loss over all images.
    """
    module = copy.deepcopy(module).requires_grad_(True)  # frozen parameters included
    points = find_points(module, channel_map, batches.example)
    parameters = dict(module.named_parameters())
    weights = {name: parameters[name] for name in filter_names(channel_map)}
    slopes = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}
    squares = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
    batch_squares = {name: torch.zeros_like(zeros) for name, zeros in squares.items()}
    for inputs, targets in batches:
        by_gate, by_weight = _batch_derivatives(module, points, list(weights.values()), batches, inputs, targets)
        for name, derivative in zip(slopes, by_weight, strict=True):
            slopes[name] += derivative
        for name, units in sum_per_unit(channel_map, by_gate.items()).items():
            squares[name] += units.square().sum(0).cpu()
            batch_squares[name] += (units.sum(0).square() / len(units)).cpu()
    products = {name: weight.detach() * slopes[name] / len(batches) for name, weight in weights.items()}
    return {
        "square": {name: total / len(batches) for name, total in squares.items()},
        "batch_square": {name: total / len(batches) for name, total in batch_squares.items()},
        "connection": {name: sums.cpu() for name, sums in absolute_sums(products, channel_map).items()},
    }


def _batch_derivatives(
    module: nn.Module,
    points: list[WatchPoint],
    weights: list[Tensor],
    batches: Batches,
    inputs: Inputs,
    targets: Tensor,
) -> tuple[dict[WatchPoint, Tensor], tuple[Tensor, ...]]:
    """Derivatives of the summed loss of a batch: by the gates, per image and channel of each point, and by the weights.

    A network that computes its losses itself looks at one image at a time, since it may have maps of several boxes of
    an image.
    """
    if not batches.computed_by_network:
        loss = partial(batches.total_loss, targets=targets)
        gates, slopes = _derivatives(module, points, weights, batches.inputs(inputs, targets), loss)
        return {point: _per_image(point, each, len(targets)) for point, each in gates.items()}, slopes
    by_gate: dict[WatchPoint, list[Tensor]] = {point: [] for point in points}
    by_weight = [torch.zeros_like(weight) for weight in weights]
    for sample, target in zip(one_by_one(inputs), targets.split(1), strict=True):
        loss = partial(batches.total_loss, targets=target)
        gates, slopes = _derivatives(module, points, weights, batches.inputs(sample, target), loss)
        for point, derivative in gates.items():
            by_gate[point].append(derivative.sum(0, keepdim=True))
        by_weight = [total + slope for total, slope in zip(by_weight, slopes, strict=True)]
    return {point: torch.cat(derivatives) for point, derivatives in by_gate.items()}, tuple(by_weight)


def _per_image(point: WatchPoint, by_map: Float[Tensor, "maps c"], images: int) -> Float[Tensor, "n c"]:
    """Sums over the maps of an image: attention in windows makes several of each, those of an image in a row."""
    if len(by_map) % images:
        raise BadInputError(
            f"layer {point.layer} has {len(by_map)} maps of {images} images, which cannot be told apart; use a "
            "criterion of weights or activations"
        )
    return by_map.reshape(images, -1, by_map.shape[1]).sum(1)


def _derivatives(
    module: nn.Module,
    points: list[WatchPoint],
    weights: list[Tensor],
    inputs: Inputs,
    total_loss: Callable[[Any], Tensor],
) -> tuple[dict[WatchPoint, Tensor], tuple[Tensor, ...]]:
    """Derivatives of the summed loss: by the gates, per map and channel of each point, and by the weights.

    `total_loss` computes that loss from the network's outputs.
    """
    gates: dict[WatchPoint, Tensor] = {}

    def gate(point: WatchPoint, maps: Tensor) -> Tensor:
        gates[point] = torch.ones(maps.shape[:2], dtype=maps.dtype, device=maps.device, requires_grad=True)
        return maps * gates[point].view(*maps.shape[:2], *[1] * (maps.ndim - 2))

    with torch.enable_grad(), watching(points, gate):
        outputs = call(module, inputs)
    found = torch.autograd.grad(total_loss(outputs), [*gates.values(), *weights], materialize_grads=True)
    by_gate = {point: found[number].double() for number, point in enumerate(gates)}
    return by_gate, found[len(gates) :]
