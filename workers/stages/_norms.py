"""Brings batch norms back that were folded, where a network is trained further: without them it trains badly.

The network computes the same as before; what its norms know is measured, on unlabelled training images.
"""

from collections.abc import Callable

import torch
from torch import nn

from jobs.stages.training import TrainParams
from workers.data import ImageData
from workers.data.images import batches
from workers.inputs import call
from workers.integral.outputs import measure_outputs
from workers.network import NetworkRecipe, StoredNetwork, unfold
from workers.stages._base import Context

_IMAGES = 256
"""So many tell the statistics; training soon replaces them by its own."""


def with_norms(
    context: Context[TrainParams],
    network: StoredNetwork,
    data: ImageData,
    around: Callable[[nn.Module], nn.Module] = lambda network: network,
) -> tuple[nn.Module, NetworkRecipe]:
    """A network with its folded batch norms unfolded, and its recipe; as it is, if none was folded.

    Args:
        context: Of the task; its seed chooses the images.
        network: The network.
        data: The data that it is trained on.
        around: Builds what it is a part of, and what takes the data; by default it stands alone.

    Returns:
        The module, in evaluation mode, on the CPU, and its recipe.
    """
    recipe, folded = network.recipe, network.module()
    if not recipe.folded:
        return folded, recipe
    drawn = torch.randperm(len(data.train), generator=context.generator("images"))[:_IMAGES]
    [(inputs, _)] = batches(data.train.select(drawn), len(drawn), device=context.device)
    with torch.random.fork_rng(devices=[]):
        whole = around(folded).to(context.device).eval()
    layers = {layer: folded.get_submodule(layer) for layer, _ in recipe.folded}
    moments = measure_outputs(layers, lambda: call(whole, inputs)).to("cpu")
    return unfold(recipe, network.state, moments.means, moments.variances)
