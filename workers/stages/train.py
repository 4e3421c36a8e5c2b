"""Stage `train`: a network with weights, learnt from the data or loaded from a checkpoint."""

import logging
from dataclasses import asdict

import torch

from workers.models import build, load_weights
from workers.network import Recipe, network_files, sizes
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.training import Recipe as TrainingRecipe
from workers.training import train

_log = logging.getLogger("orchard")


def run(context: Context) -> Product:
    """Build the network, give it weights, keep it.

    Params: `network`, `arguments`, `weights` (fingerprint of the checkpoint, or None), `train` (recipe, or None),
    `data`, `seed`. Measures `params`, `macs`, `size_bytes` and, where it trained, `last` and `best` epoch.
    """
    data = read_data(context)
    recipe = Recipe(
        network=context.params["network"],
        arguments=context.params["arguments"],
        input_shape=tuple(data.input_shape),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        module = build(recipe.network, recipe.arguments)
    measurements: dict[str, object] = {}
    if "weights" in context.task.locations:
        load_weights(module, context.task.locations["weights"])
    else:
        log = train(
            module,
            data,
            TrainingRecipe(**context.params["train"]),
            generator=context.generator("batches"),
            device=context.device,
            should_stop=context.should_stop,
            report=lambda epoch, values: _log.info("epoch %d: %s", epoch, values),
            checkpoint=context.checkpoint,
        )
        measurements = {"last": asdict(log.last), "best": asdict(log.best)}
    module = module.cpu().eval()
    return Product(
        measurements={**sizes(module, recipe), **measurements},
        files=network_files(recipe, module.state_dict()),
    )
