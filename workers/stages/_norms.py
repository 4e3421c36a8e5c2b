"""Brings batch norms back that were folded, where a network is trained further: without them it trains badly.

The network computes the same as before; what its norms know is measured, on unlabelled training images.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from jobs.stages.training import TrainParams
from workers.data import ImageData
from workers.data.images import batches
from workers.inputs import call, num_samples
from workers.integral.outputs import measure_outputs, pooled
from workers.network import NetworkRecipe, StoredNetwork, unfold
from workers.stages._base import Context

_IMAGES = 256
"""So many tell the statistics; training soon replaces them by its own."""


def with_norms(
    context: Context[TrainParams],
    network: StoredNetwork,
    data: ImageData,
    batch_size: int,
    around: Callable[[nn.Module], nn.Module] = lambda network: network,
) -> tuple[nn.Module, NetworkRecipe]:
    """A network with its folded batch norms unfolded, and its recipe; as it is, if none was folded.

    Args:
        context: Of the task; its seed chooses the images.
        network: The network.
        data: The data that it is trained on.
        batch_size: Images per batch, as in training.
        around: Builds what it is a part of, and what takes the data; by default it stands alone.

    Returns:
        The module, in evaluation mode, on the CPU, and its recipe.
    """
    recipe, folded = network.recipe, network.module()
    if not recipe.folded:
        return folded, recipe
    drawn = torch.randperm(len(data.train), generator=context.generator("images"))[:_IMAGES]
    with torch.random.fork_rng(devices=[]):
        whole = around(folded).to(context.device).eval()
    layers = {layer: folded.get_submodule(layer) for layer, _ in recipe.folded}
    parts, sizes = [], []
    for inputs, _ in batches(data.train.select(drawn), batch_size, device=context.device):
        context.poll()
        parts.append(measure_outputs(layers, partial(call, whole, inputs)).to("cpu"))
        sizes.append(num_samples(inputs))
    moments = pooled(parts, sizes)
    return unfold(recipe, network.state, moments.means, moments.variances)
