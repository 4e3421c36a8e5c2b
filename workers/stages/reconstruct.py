"""Stage `reconstruct`: a smaller network by choosing channels and refitting the layers that read them, one by one."""

import copy
from dataclasses import asdict

import torch

from workers.allocation import ALLOCATIONS, Errors, removal_errors
from workers.network import network_files, read_recipe, read_state, rebuild
from workers.reconstruction import METHODS, own_shares, reconstruct
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._comparison import check_finite, read_comparison
from workers.stages._selection import kept_file, selected
from workers.stages._smaller import measure_smaller


def run(context: Context) -> Product:
    """Make the smaller network, as `prune` does, without labels.

    Params: `how` (`thinet` or `lasso`), `allocation`, `compression`, `num_images`, `batch_size`, `data`, `seed` (which
    chooses images and output positions). Measures what `prune` does, and `refits`: for every layer the squared error of
    its outputs before and after, as a part of the dense network's squared outputs.

    Raises:
        ValueError: The sliced network's output, before anything is refitted, is not the masked one's, or the number of
            parameters is not the predicted one: the channel analysis was wrong.
        BadNumericsError: A refitted weight is not finite.
    """
    recipe, state, channel_map = read_recipe(context), read_state(context), read_channels(context)

    def errors() -> Errors:
        return removal_errors(state, channel_map, own_shares(state, channel_map))

    allocation = ALLOCATIONS[context.params["allocation"]](channel_map, context.params["compression"], errors)
    dense = rebuild(recipe, state)
    smaller = copy.deepcopy(dense).to(context.device)
    comparison = read_comparison(context, dense.to(context.device), channel_map)
    kept, refits = reconstruct(smaller, comparison, channel_map, allocation.widths, METHODS[context.params["how"]])
    images = torch.rand(2, *recipe.input_shape, generator=context.generator("proof"), dtype=torch.float64)
    selected(recipe, state, channel_map, kept, images)
    refitted = {name: tensor.cpu() for name, tensor in smaller.state_dict().items()}
    check_finite(refitted)
    return Product(
        measurements={
            **measure_smaller(recipe, state, refitted, channel_map, allocation),
            "refits": [asdict(each) for each in refits],
        },
        files={**network_files(recipe, refitted), **kept_file(kept)},
    )
