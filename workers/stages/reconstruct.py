"""Stage `reconstruct`: a smaller network by choosing channels and refitting the layers that read them, one by one."""

import copy
from dataclasses import asdict

import torch
from safetensors.torch import save

from workers.allocation import Errors, removal_errors
from workers.network import network_files, read_recipe, read_state, rebuild
from workers.reconstruction import METHODS, own_shares, reconstruct
from workers.stages._allocation import Source, allocated
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._comparison import check_finite, read_comparison
from workers.stages._description import measure_smaller
from workers.stages._learning import spent
from workers.stages._selection import selected
from workers.stages.prune import KEPT_FILE


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
    source = Source(recipe=read_recipe(context), state=read_state(context), channel_map=read_channels(context))

    def errors() -> Errors:
        return removal_errors(source.state, source.channel_map, own_shares(source.state, source.channel_map))

    allocation = allocated(context, source, errors)
    dense = rebuild(source.recipe, source.state).to(context.device)
    smaller = copy.deepcopy(dense)
    comparison = read_comparison(context, dense, source.channel_map)
    method = METHODS[context.params["how"]]
    kept, refits = reconstruct(smaller, comparison, source.channel_map, allocation.widths, method)
    images = torch.rand(2, *source.recipe.input_shape, generator=context.generator("proof"), dtype=torch.float64)
    selected(source, kept, images)
    state = {name: tensor.cpu() for name, tensor in smaller.state_dict().items()}
    check_finite(state)
    return Product(
        measurements={
            **measure_smaller(context, source, state, allocation),
            **spent(context.measured("network")),
            "refits": [asdict(each) for each in refits],
        },
        files={**network_files(source.recipe, state), KEPT_FILE: save(kept)},
    )
