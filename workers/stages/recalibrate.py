"""Stage `recalibrate`: the statistics of a smaller network's batch norms, estimated anew."""

import torch

from workers.network import network_files, read_masks, read_network
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.training.recalibration import recalibrate


def run(context: Context) -> Product:
    """Recalibrate a network on training images, without their labels.

    Params: `num_images`, `data`, `seed` (which chooses them). Measures what the network's own task measured.
    """
    module, recipe = read_network(context)
    train = read_data(context).train
    chosen = torch.randperm(len(train), generator=context.generator("images"))[: context.params["num_images"]]
    recalibrate(module, train.select(chosen), device=context.device, should_stop=context.should_stop)
    return Product(
        measurements=context.measured("network"),
        files=network_files(recipe, module.state_dict(), read_masks(context)),
    )
