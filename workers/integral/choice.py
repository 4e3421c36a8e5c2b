"""Chooses among near-optimal channel orders by the error of resampling, in the weights or in the outputs.

Needs pools of orders and the partitions that the network will be sampled at, but no solver and no labels.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from jobs.errors import CancelledError
from workers.channels import ChannelMap, load_resized, select
from workers.inputs import Inputs, call, tensors_of
from workers.integral.partition import Partition, nodes_of
from workers.integral.quadrature import Quadrature, output_matrix
from workers.integral.resample import resample
from workers.integral.slices import relative_slices
from workers.integral.variance import VarianceRepair
from workers.nested import floats_of
from workers.objectives import Objective

Pools = Mapping[str, Sequence[Int64[Tensor, " _"]]]
"""Group name -> orders of its channels to choose from, at least one."""

RepairOf = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], VarianceRepair]
"""From a reordered network's tensors, and the order of each group's channels, to its variance repair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen orders, and their error.

    Attributes:
        chosen: Group name -> index into its pool.
        error_before: Error with the first order of every pool.
        error_after: Error with the chosen orders; never above `error_before`.
    """

    chosen: Mapping[str, int]
    error_before: float
    error_after: float


def choose_by_weights(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    pools: Pools,
    widths: Mapping[str, int],
    *,
    partition: Partition,
    quadrature: Quadrature,
) -> Choice:
    """Choose, for every group, the order with the least resampling error of the weights. Data-free.

    The error of an order is the squared distance between every channel and the sample in whose cell it lies, each
    tensor relative to its norm, as a share of all squares; rounded to 12 digits.

    Args:
        state: Tensors of the network.
        channel_map: Its channel groups.
        pools: Orders for every group; the first of equal errors wins.
        widths: Group name -> cells that it will be sampled at.
        partition: How the cells are chosen.
        quadrature: What goes with it; the sampling of the outputs may be its own.
    """
    chosen: dict[str, int] = {}
    before, after = 0.0, 0.0
    for index, group in enumerate(channel_map.groups):
        channels = relative_slices(state, channel_map, index)
        size = widths[group.name]
        errors = [_weight_error(channels[order], size, partition, quadrature) for order in pools[group.name]]
        chosen[group.name] = min(range(len(errors)), key=errors.__getitem__)
        before, after = before + errors[0], after + min(errors)
    return Choice(chosen=chosen, error_before=before, error_after=after)


def choose_by_error(
    pools: Pools, error: Callable[[Mapping[str, int]], float], should_stop: Callable[[], bool]
) -> Choice:
    """One round of coordinate descent: each group in turn tries its pool, with the others as chosen so far.

    Args:
        pools: Orders for every group; the first of equal errors wins.
        error: Error of a choice, group name -> index into its pool. Evaluated once for the first orders together, and
            once for every other order.
        should_stop: Polled before every trial.

    Raises:
        CancelledError: Asked to stop.
    """
    chosen = dict.fromkeys(pools, 0)
    before = least = error(chosen)
    for group, orders in pools.items():
        for index in range(1, len(orders)):
            if should_stop():
                raise CancelledError("stopped while choosing orders")
            found = error({**chosen, group: index})
            if found < least:
                chosen, least = {**chosen, group: index}, found
    return Choice(chosen=chosen, error_before=before, error_after=least)


class OutputError:
    """Distance of the resampled network's output from the network's own, for any choice of orders.

    That of a network that computes its losses itself, such as a detector, whose boxes have no distance, is the loss
    with respect to the network's own outputs as targets.

    Args:
        module: The network in evaluation mode, on its device.
        channel_map: Its channel groups.
        pools: Orders for every group, of the channels of `module`.
        widths: Group name -> cells that it will be sampled at.
        partition: How the cells are chosen.
        quadrature: Quadrature for the input axes.
        inputs: A calibration batch, on the module's device.
        objective: Knows whether networks compute their losses themselves.
        repair: Of the variance of resampled networks; None: they are not repaired.
    """

    def __init__(
        self,
        module: nn.Module,
        channel_map: ChannelMap,
        pools: Pools,
        widths: Mapping[str, int],
        *,
        partition: Partition,
        quadrature: Quadrature,
        inputs: Inputs,
        objective: Objective,
        repair: RepairOf | None = None,
    ) -> None:
        self._repair = repair
        self._state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
        self._channel_map, self._pools, self._quadrature, self._inputs = channel_map, pools, quadrature, inputs
        device = tensors_of(inputs)[0].device
        self._nodes: dict[str, list[Tensor]] = {}
        for index, group in enumerate(channel_map.groups):
            channels = relative_slices(self._state, channel_map, index)
            partitions = (partition(channels[order], widths[group.name]) for order in pools[group.name])
            self._nodes[group.name] = [nodes_of(cells).to(device) for cells in partitions]
        self._objective = objective
        with torch.inference_mode():
            self._wanted = call(module, inputs)
        self._small = copy.deepcopy(module)

    @torch.inference_mode()
    def __call__(self, chosen: Mapping[str, int]) -> float:
        """The squared difference of the outputs, relative to the network's own; or the loss.

        Args:
            chosen: Group name -> index into its pool.
        """
        orders = {name: self._pools[name][k] for name, k in chosen.items()}
        nodes = {name: self._nodes[name][k] for name, k in chosen.items()}
        state = select(self._state, self._channel_map, orders)
        smaller = resample(state, self._channel_map, nodes, self._quadrature)
        if self._repair is not None:
            smaller = self._repair(state, orders)(smaller, nodes, self._quadrature)
        load_resized(self._small, smaller)
        if self._objective.computes_its_loss:
            return float(self._objective.distance(self._small, self._inputs, self._wanted))
        found, wanted = floats_of(call(self._small, self._inputs)), floats_of(self._wanted)
        errors = [(ours - theirs).square().sum() for ours, theirs in zip(found, wanted, strict=True)]
        difference, energy = torch.stack(errors).sum(), torch.stack([each.square().sum() for each in wanted]).sum()
        return float(difference / energy.clamp_min(torch.finfo(difference.dtype).tiny))


def _weight_error(channels: Float[Tensor, "n d"], size: int, partition: Partition, quadrature: Quadrature) -> float:
    cells = partition(channels, size)
    samples = output_matrix(nodes_of(cells), len(channels), quadrature) @ channels
    middles = (torch.arange(len(channels), dtype=cells.dtype) + 0.5) / len(channels)
    at = torch.searchsorted(cells.cumsum(0), middles, right=True).clamp_max(size - 1)
    share = (channels - samples[at]).square().sum() / channels.square().sum().clamp_min(
        torch.finfo(channels.dtype).tiny
    )
    return round(float(share), 12)
