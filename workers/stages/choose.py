"""Stage `choose`: chooses among near-optimal orders of every group those with the least resampling error."""

import json
import math

import torch
from torch import nn

from jobs.errors import BadInputError, BadNumericsError
from jobs.identity import Parsed
from jobs.measured import records
from jobs.stages.channels import ChooseParams, OrderCertificate
from jobs.stages.common import CLASSIFICATION, Resampling
from workers.artifacts import CHANNELS_FILE, MOMENTS_FILE, POOLS_FILE
from workers.channels import select
from workers.data import batches
from workers.integral import PARTITIONS, QUADRATURES
from workers.integral.choice import Choice, OutputError, Pools, choose_by_error, choose_by_weights
from workers.integral.moments import OutputMoments
from workers.network import StoredNetwork, network_files
from workers.objectives import find_objective
from workers.stages._allocation import allocate_widths
from workers.stages._base import Context, Product
from workers.stages._images import draw_images
from workers.stages._smaller import repair_for


def run(context: Context[ChooseParams]) -> Product:
    """Reorder the channels of a permuted network with pools of orders.

    Measures the error before and after the choice, and what `permute` measures, for the chosen orders; keeps the times
    of the groups' orders.

    Raises:
        BadNumericsError: The error of the resampled network's output is not finite.
    """
    network = context.network(context.params.network)
    module = network.module(context.device)
    pools = json.loads(network.read(POOLS_FILE))
    orders = {name: [torch.tensor(order) for order in pool["orders"]] for name, pool in pools.items()}
    choice = _choice(context, network, module, orders)
    if not math.isfinite(choice.error_after):
        raise BadNumericsError("the resampled network's output is not finite, whatever the orders")
    measured = network.measured
    shortest = map(OrderCertificate.model_validate, records(measured, "groups"))
    certificates = [_certificate(each, pools[each.group], choice) for each in shortest]
    chosen = {name: orders[name][index] for name, index in choice.chosen.items()}
    return Product(
        measurements={
            "error_before": choice.error_before,
            "error_after": choice.error_after,
            "total_variation_before": measured["total_variation_before"],
            "total_variation_after": sum(certificate.length for certificate in certificates),
            "groups": [certificate.model_dump() for certificate in certificates],
        },
        files={
            **network_files(network.recipe, select(module.state_dict(), network.channel_map, chosen)),
            CHANNELS_FILE: network.read(CHANNELS_FILE),
            MOMENTS_FILE: OutputMoments.read(network.read(MOMENTS_FILE)).select(network.channel_map, chosen).to_bytes(),
        },
        timings=network.manifest.timings,
    )


def _choice(context: Context[ChooseParams], network: StoredNetwork, module: nn.Module, orders: Pools) -> Choice:
    params, state, channel_map = context.params, module.state_dict(), network.channel_map
    partition = PARTITIONS[params.partition]
    how = Resampling(partition=params.partition, quadrature=params.quadrature, repair=params.repair)
    widths = allocate_widths(context, network, params.widths, how=how).widths
    if params.choice == "reconstruction":
        return choose_by_weights(
            state, channel_map, orders, widths, partition=partition, quadrature=QUADRATURES[params.quadrature]
        )
    if params.images is None:
        raise BadInputError("choice: output compares outputs on images, but the task has none; plan the sweep again")
    split = draw_images(context, params.images)
    [(inputs, _)] = batches(split, len(split), device=context.device)
    error = OutputError(
        module,
        channel_map,
        orders,
        widths,
        partition=partition,
        quadrature=QUADRATURES[params.quadrature],
        inputs=inputs,
        objective=find_objective(params.objective or CLASSIFICATION),
        repair=repair_for(network, context.device) if params.repair else None,
    )
    return choose_by_error(orders, error, context.should_stop)


def _certificate(shortest: OrderCertificate, pool: Parsed, choice: Choice) -> OrderCertificate:
    """The measurements of `order` for the shortest order, corrected for the chosen one."""
    length = pool["lengths"][choice.chosen[shortest.group]]
    if length == shortest.length:
        return shortest
    gap = (length - shortest.lower_bound) / length
    return shortest.model_copy(update={"length": length, "gap": gap, "status": "feasible"})
