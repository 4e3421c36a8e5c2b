"""Stage `order`: orders of some groups' channels in which neighbours are similar."""

import json
import time

import torch

from jobs.identity import Json
from jobs.stages.channels import OrderCertificate, OrderParams
from workers.artifacts import ORDERS_FILE
from workers.integral.slices import group_slices
from workers.ordering import order_channels
from workers.stages._base import Context, Product
from workers.stages._mixing import check_no_indices


def run(context: Context[OrderParams]) -> Product:
    """Order the channels of the groups that the parameters name.

    Measures for each group the total variation before and after, a proven lower bound, the gap between the two relative
    to the length, and the solver's status; times each group, by its name.

    Raises:
        BadInputError: The network selects channels by index.
    """
    network, ordering = context.network(context.params.network), context.params.ordering
    channel_map, state = network.channel_map, network.state
    check_no_indices(state, channel_map)
    index_of = {group.name: index for index, group in enumerate(channel_map.groups)}
    orders: dict[str, Json] = {}
    certificates, timings = [], {}
    for name in context.params.groups:
        started = time.perf_counter()
        slices = group_slices(state, channel_map, index_of[name])
        with torch.no_grad():
            found = order_channels(
                slices,
                method=ordering.method,
                metric=ordering.metric,
                normalize=ordering.normalize,
                limits=ordering.limits,
                pool=ordering.pool or 1,
                seed=context.params.seed or 0,
            )
        timings[name] = time.perf_counter() - started
        orders[name] = {
            "orders": [found.order, *(each.order for each in found.alternatives)],
            "lengths": [found.length, *(each.length for each in found.alternatives)],
        }
        certificate = OrderCertificate(
            group=name,
            width=len(found.order),
            length=found.length,
            identity_length=found.identity_length,
            lower_bound=found.lower_bound,
            gap=found.gap,
            status=found.status,
        )
        certificates.append(certificate.model_dump())
    return Product(
        measurements={"groups": certificates},
        files={ORDERS_FILE: json.dumps(orders).encode()},
        timings=timings,
    )
