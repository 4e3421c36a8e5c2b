"""Stage `order`: the order of one group's channels in which neighbours are alike."""

import json
import time

import torch

from workers.integral.slices import group_slices
from workers.network import read_state
from workers.ordering import order_channels
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels

ORDER_FILE = "order.json"


def run(context: Context) -> Product:
    """Order the channels of the group that the params name.

    Params: `group`, `ordering` (`method`, `metric`, `effort`), `seed`. Measures the total variation before and
    after, a proven lower bound, and the solver's status.
    """
    channel_map, state = read_channels(context), read_state(context)
    index = next(i for i, group in enumerate(channel_map.groups) if group.name == context.params["group"])
    slices = group_slices(state, channel_map, index)
    asked = context.params["ordering"]
    started = time.perf_counter()
    with torch.no_grad():
        ordering = order_channels(
            slices,
            method=asked["method"],
            metric=asked["metric"],
            seed=context.params["seed"] or 0,
            effort=asked["effort"],
        )
    return Product(
        measurements={
            "width": channel_map.groups[index].width,
            "length": ordering.length,
            "identity_length": ordering.identity_length,
            "lower_bound": ordering.lower_bound,
            "status": ordering.status,
        },
        files={ORDER_FILE: json.dumps([int(channel) for channel in ordering.order]).encode()},
        timings={"solve_s": time.perf_counter() - started},
    )
