"""Stage `permute`: reorders the channels of every group by the result of its `order` task."""

import json
from collections.abc import Mapping

import torch

from jobs.identity import Parsed
from jobs.measured import records
from jobs.stages.channels import OrderCertificate, PermuteParams
from jobs.task import joined_tasks
from workers.artifacts import CHANNELS_FILE, MOMENTS_FILE, ORDERS_FILE, POOLS_FILE
from workers.channels import InDouble, largest_difference, outputs_of, select
from workers.integral.moments import OutputMoments
from workers.integral.smoothing import smooth
from workers.network import network_files, rebuild
from workers.stages._base import Context, Product
from workers.stages._mixing import check_no_indices

_TOLERANCE = 1e-5


def run(context: Context[PermuteParams]) -> Product:
    """Reorder the channels, which does not change the function of the network; then make them smoother, if requested.

    Takes the shortest order of every pool, and keeps the pools if requested. Measures the total variation
    before and after, summed over the groups, and for each group what its `order` task measured; keeps the times
    of the groups' orders.

    Raises:
        ValueError: The output changed by more than 1e-5: the channel analysis was wrong.
    """
    network = context.network(context.params.network)
    pools: dict[str, Parsed] = {}
    certificates: list[OrderCertificate] = []
    timings: dict[str, float] = {}
    for task in joined_tasks(context.task, network.measured):
        pools |= context.artifacts.read_json(task.key, ORDERS_FILE)
        manifest = context.artifacts.manifest(task.key)
        certificates += map(OrderCertificate.model_validate, records(manifest.measurements, "groups"))
        timings |= manifest.timings
    orders = {name: torch.tensor(pool["orders"][0]) for name, pool in pools.items()}
    permuted = select(network.state, network.channel_map, orders)
    inputs = network.recipe.inputs.draw(2, context.generator("images"), torch.float64)
    before, after = network.module().double(), rebuild(network.recipe, permuted).double()
    with torch.inference_mode(), InDouble():
        expected = outputs_of(before, inputs, network.recipe.parts)
        found = outputs_of(after, inputs, network.recipe.parts)
    change = largest_difference(found, expected)
    if not change <= _TOLERANCE:
        raise ValueError(f"permuting the channels changed the network's output by {change:.1e} of its largest value")
    if context.params.coefficients is not None:
        check_no_indices(permuted, network.channel_map)
        permuted = smooth(permuted, network.channel_map, context.params.coefficients)
    return Product(
        measurements={
            "total_variation_before": sum(certificate.identity_length for certificate in certificates),
            "total_variation_after": sum(certificate.length for certificate in certificates),
            "groups": [certificate.model_dump() for certificate in certificates],
        },
        files={
            **network_files(network.recipe, permuted),
            CHANNELS_FILE: network.read(CHANNELS_FILE),
            MOMENTS_FILE: OutputMoments.read(network.read(MOMENTS_FILE)).select(network.channel_map, orders).to_bytes(),
            **({POOLS_FILE: _permuted(pools)} if context.params.ordering.pool is not None else {}),
        },
        timings=timings,
    )


def _permuted(pools: Mapping[str, Parsed]) -> bytes:
    """Pools with the channels renumbered by the first order."""
    places = {name: {channel: k for k, channel in enumerate(pool["orders"][0])} for name, pool in pools.items()}
    permuted = {
        name: {**pool, "orders": [[places[name][channel] for channel in order] for order in pool["orders"]]}
        for name, pool in pools.items()
    }
    return json.dumps(permuted).encode()
