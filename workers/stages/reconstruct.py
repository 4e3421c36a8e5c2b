"""Stage `reconstruct`: prunes by choosing channels and refitting the layers that read them, one by one."""

import copy
from dataclasses import asdict

import torch
from safetensors.torch import save

from jobs.stages.pruning import ReconstructParams
from workers.allocation import Errors, removal_errors
from workers.artifacts import KEPT_FILE
from workers.network import network_files
from workers.reconstruction import METHODS, own_shares, reconstruct
from workers.stages._allocation import allocate_widths, dense_network
from workers.stages._base import Context, Product
from workers.stages._description import measure_smaller
from workers.stages._finite import check_finite
from workers.stages._learning import spent
from workers.stages._reference import REFIT, read_reference
from workers.stages._selection import channels_left, selected


def run(context: Context[ReconstructParams]) -> Product:
    """Make the smaller network, as `prune` does, without labels. The reference is the network that it is given.

    Measures what `prune` does, and `refits`: for every layer the squared error of its outputs before and after, as a
    fraction of the dense network's squared outputs.

    Raises:
        ValueError: The sliced network's output, before anything is refitted, is not the masked one's, or the number of
            parameters is not the predicted one: the channel analysis was wrong.
        BadNumericsError: A refitted weight is not finite.
    """
    params, network = context.params, context.network(context.params.network)
    channel_map = network.channel_map

    def errors() -> Errors:
        return removal_errors(network.state, channel_map, own_shares(network.state, channel_map))

    allocation = allocate_widths(context, network, params.widths, errors=errors)
    dense = network.module(context.device)
    smaller = copy.deepcopy(dense)
    reference = read_reference(context, dense, network)
    kept, refits = reconstruct(smaller, reference, channel_map, allocation.widths, METHODS[params.how])
    inputs = network.recipe.inputs.draw(2, context.generator("proof"), torch.float64)
    selected(network, kept, inputs)
    state = {name: tensor.cpu() for name, tensor in smaller.state_dict().items()}
    check_finite(state, what=REFIT, advice="look for NaN in the images and in the weights")
    return Product(
        measurements={
            **measure_smaller(
                context, dense_network(context, network, params.widths), state, allocation, params.widths
            ),
            **spent(network.measured),
            "refits": [asdict(each) for each in refits],
        },
        files={
            **network_files(network.recipe, state),
            KEPT_FILE: save(kept),
            **channels_left(network, allocation.widths, params.widths.round),
        },
    )
