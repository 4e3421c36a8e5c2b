"""Stage `choose`: of the nearly shortest orders of every group, those that resampling to one size harms least."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadNumericsError
from jobs.identity import Json
from workers.channels import ChannelMap, select
from workers.data import batches
from workers.integral import PARTITIONS, QUADRATURES
from workers.integral.choice import Choice, OutputError, Pools, choose_by_error, choose_by_weights
from workers.network import Recipe, network_files, read_network
from workers.stages._allocation import Source, allocated
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.stages.convert import CHANNELS_FILE
from workers.stages.permute import POOLS_FILE


def run(context: Context) -> Product:
    """Reorder the channels of a permuted network that brings pools of orders.

    Params: `choice` (`reconstruction`: by the weights; `output`: by the output on training images, without labels),
    those of the allocation and `partition` (which size, and which nodes), and for `output` `quadrature`,
    `num_images`, `data`, `seed`. Measures the error before and after the choice, and what `permute` measured, of the
    orders that were chosen; times how long each group's order took.

    Raises:
        BadNumericsError: The error of the resampled network's output is not finite.
    """
    module, recipe = read_network(context)
    channel_map, state = read_channels(context), module.state_dict()
    pools = context.read_json("network", POOLS_FILE)
    orders = {name: [torch.tensor(order) for order in pool["orders"]] for name, pool in pools.items()}
    choice = _choice(context, module, recipe, channel_map, orders)
    if not math.isfinite(choice.error_after):
        raise BadNumericsError("the resampled network's output is not finite, whatever the orders")
    measured = context.measured("network")
    certificates = [_certificate(each, pools[each["group"]], choice) for each in measured["groups"]]
    chosen = {name: orders[name][index] for name, index in choice.chosen.items()}
    return Product(
        measurements={
            "error_before": choice.error_before,
            "error_after": choice.error_after,
            "total_variation_before": measured["total_variation_before"],
            "total_variation_after": sum(certificate["length"] for certificate in certificates),
            "groups": certificates,
        },
        files={
            **network_files(recipe, select(state, channel_map, chosen)),
            CHANNELS_FILE: context.read("network", CHANNELS_FILE),
        },
        timings=context.manifest(context.task.inputs["network"]).timings,
    )


def _choice(context: Context, module: nn.Module, recipe: Recipe, channel_map: ChannelMap, orders: Pools) -> Choice:
    params, state = context.params, module.state_dict()
    partition = PARTITIONS[params["partition"]]
    widths = allocated(context, Source(recipe=recipe, state=state, channel_map=channel_map)).widths
    if params["choice"] == "reconstruction":
        return choose_by_weights(state, channel_map, orders, widths, partition)
    error = OutputError(
        module,
        channel_map,
        orders,
        widths,
        partition=partition,
        quadrature=QUADRATURES[params["quadrature"]],
        images=_calibration_images(context),
    )
    return choose_by_error(orders, error, context.should_stop)


def _calibration_images(context: Context) -> Float[Tensor, "b c h w"]:
    train, count = read_data(context).train, context.params["num_images"]
    chosen = torch.randperm(len(train), generator=context.generator("images"))[:count]
    [(images, _)] = batches(train, len(chosen), order=chosen, device=context.device)
    return images


def _certificate(certificate: Mapping[str, Json], pool: Mapping[str, Json], choice: Choice) -> dict[str, Json]:
    """What `order` measured of the shortest order, put right for the one that was chosen."""
    length, bound = pool["lengths"][choice.chosen[certificate["group"]]], certificate["lower_bound"]
    if length == certificate["length"]:
        return dict(certificate)
    return {**certificate, "length": length, "gap": (length - bound) / length, "status": "feasible"}
