"""Stage `order`: orders of some groups' channels in which neighbours are alike."""

import json
import time

import torch

from workers.integral.slices import group_slices
from workers.network import read_state
from workers.ordering import order_channels
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels

ORDERS_FILE = "orders.json"
"""Group name -> its channels in order."""


def run(context: Context) -> Product:
    """Order the channels of the groups that the params name.

    Params: `groups`, `ordering` (`method`, `metric`, `normalize`, `effort`), `seed`. Measures for each group the total
    variation before and after, a proven lower bound, the gap between the two relative to the length, and the solver's
    status; times how long each group took, by its name.
    """
    channel_map, state = read_channels(context), read_state(context)
    index_of = {group.name: index for index, group in enumerate(channel_map.groups)}
    orders: dict[str, list[int]] = {}
    certificates, timings = [], {}
    for name in context.params["groups"]:
        started = time.perf_counter()
        slices = group_slices(state, channel_map, index_of[name])
        with torch.no_grad():
            found = order_channels(slices, **context.params["ordering"], seed=context.params["seed"] or 0)
        timings[name] = time.perf_counter() - started
        orders[name] = list(found.order)
        certificates.append(
            {
                "group": name,
                "width": len(found.order),
                "length": found.length,
                "identity_length": found.identity_length,
                "lower_bound": found.lower_bound,
                "gap": found.gap,
                "status": found.status,
            }
        )
    return Product(
        measurements={"groups": certificates},
        files={ORDERS_FILE: json.dumps(orders).encode()},
        timings=timings,
    )
