"""Stage `permute`: bring the channels of every group into the order that its `order` task found."""

import json
from collections.abc import Mapping

import torch

from jobs.identity import Json
from jobs.task import GroupSize, order_tasks
from workers.channels import select
from workers.network import network_files, read_recipe, read_state, rebuild
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages.convert import CHANNELS_FILE
from workers.stages.order import ORDERS_FILE

POOLS_FILE = "pools.json"
"""Group name -> `orders` to choose from, of the channels as they are permuted, and their `lengths`; where asked for."""

_TOLERANCE = 1e-5


def run(context: Context) -> Product:
    """Reorder the channels; the function of the network stays.

    Params: `ordering`, `seed` (which name the `order` tasks). Takes the shortest order of every pool, and hands pools
    on where they were asked for. Measures the total variation before and after, summed over the groups, and for each
    group what its `order` task measured; times how long each group's order took.

    Raises:
        ValueError: The output changed by more than 1e-5: the channel analysis was wrong.
    """
    recipe, state, channel_map = read_recipe(context), read_state(context), read_channels(context)
    groups = [GroupSize(name=group.name, width=group.width) for group in channel_map.groups]
    pools: dict[str, Json] = {}
    certificates: list[Mapping[str, Json]] = []
    timings: dict[str, float] = {}
    for task in order_tasks(context.task, groups):
        pools |= json.loads(context.read_from(task.key, ORDERS_FILE))
        manifest = context.manifest(task.key)
        certificates += manifest.measurements["groups"]
        timings |= manifest.timings
    orders = {name: torch.tensor(pool["orders"][0]) for name, pool in pools.items()}
    permuted = select(state, channel_map, orders)
    images = torch.rand(2, *recipe.input_shape, generator=context.generator("images"), dtype=torch.float64)
    with torch.inference_mode():
        expected = rebuild(recipe, state).double()(images)
        found = rebuild(recipe, permuted).double()(images)
    change = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not change <= _TOLERANCE:
        raise ValueError(f"permuting the channels changed the network's output by {change:.1e} of its largest value")
    return Product(
        measurements={
            "total_variation_before": sum(certificate["identity_length"] for certificate in certificates),
            "total_variation_after": sum(certificate["length"] for certificate in certificates),
            "groups": certificates,
        },
        files={
            **network_files(recipe, permuted),
            CHANNELS_FILE: context.read("network", CHANNELS_FILE),
            **({POOLS_FILE: _permuted(pools)} if "pool" in context.params["ordering"] else {}),
        },
        timings=timings,
    )


def _permuted(pools: Mapping[str, Json]) -> bytes:
    """Pools whose orders speak of channels as they stand once the first order has been taken."""
    places = {name: {channel: k for k, channel in enumerate(pool["orders"][0])} for name, pool in pools.items()}
    permuted = {
        name: {**pool, "orders": [[places[name][channel] for channel in order] for order in pool["orders"]]}
        for name, pool in pools.items()
    }
    return json.dumps(permuted).encode()
