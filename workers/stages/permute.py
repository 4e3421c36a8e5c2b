"""Stage `permute`: bring the channels of every group into the order that its `order` task found."""

import json

import torch

from jobs.task import GroupSize, order_tasks
from workers.channels import select
from workers.network import network_files, read_recipe, read_state, rebuild
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages.convert import CHANNELS_FILE
from workers.stages.order import ORDER_FILE

_TOLERANCE = 1e-5


def run(context: Context) -> Product:
    """Reorder the channels; the function of the network stays.

    Params: `ordering`, `seed` (which name the `order` tasks). Measures the total variation before and after, summed
    over the groups, and the largest change of the network's output on random images, relative, in double precision.

    Raises:
        ValueError: The output changed by more than 1e-5: the channel analysis was wrong.
    """
    recipe, state, channel_map = read_recipe(context), read_state(context), read_channels(context)
    groups = [GroupSize(name=group.name, width=group.width) for group in channel_map.groups]
    orders, before, after = {}, 0.0, 0.0
    for group, task in zip(groups, order_tasks(context.task, groups), strict=True):
        orders[group.name] = torch.tensor(json.loads(context.read_from(task.key, ORDER_FILE)))
        measured = context.manifest(task.key).measurements
        before, after = before + measured["identity_length"], after + measured["length"]
    permuted = select(state, channel_map, orders)
    images = torch.rand(2, *recipe.input_shape, generator=context.generator("images"), dtype=torch.float64)
    with torch.inference_mode():
        expected = rebuild(recipe, state).double()(images)
        found = rebuild(recipe, permuted).double()(images)
    change = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not change <= _TOLERANCE:
        raise ValueError(f"permuting the channels changed the network's output by {change:.1e} of its largest value")
    return Product(
        measurements={"total_variation_before": before, "total_variation_after": after},
        files={
            **network_files(recipe, permuted),
            CHANNELS_FILE: context.read("network", CHANNELS_FILE),
        },
    )
