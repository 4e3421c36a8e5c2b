"""Stage `train`: a network with weights: learnt from the data, loaded from a checkpoint, or those it starts with.

With a network for input, an integral network is trained: its channels are functions, at all sizes at once.
"""

import logging
from dataclasses import asdict

import torch
from torch import nn

from workers.data import ImageData
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.models import build, load_weights
from workers.network import Recipe, network_files, read_network, sizes
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.stages.convert import CHANNELS_FILE
from workers.training import Recipe as TrainingRecipe
from workers.training import train

_log = logging.getLogger("orchard")


def run(context: Context) -> Product:
    """Build the network, give it weights, keep it.

    Params: `network`, `arguments`, `weights` (fingerprint of the checkpoint, or None), `train` (recipe; None with a
    checkpoint, or for a network that is not to be trained), `data`, `seed`; with an input network `train`, `smallest`
    (size, as a fraction), `data`, `seed`. Measures `params`, `macs`, `size_bytes` and, where it trained, `last` and
    `best` epoch.
    """
    return _train_integral(context) if "network" in context.task.inputs else _train_ordinary(context)


def _train_ordinary(context: Context) -> Product:
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
    elif context.params["train"] is not None:
        measurements = _learn(context, module, data)
    module = module.cpu().eval()
    return Product(
        measurements={**sizes(module, recipe), **measurements},
        files=network_files(recipe, module.state_dict()),
    )


def _train_integral(context: Context) -> Product:
    module, recipe = read_network(context)
    network = IntegralNetwork(module, read_channels(context))
    drawn = DrawnSizes(network, seed=context.generator("sizes").initial_seed(), smallest=context.params["smallest"])
    measurements = _learn(context, drawn, read_data(context))
    functions = network.functions.cpu().eval()  # as many coefficients as channels: the network at full size
    return Product(
        measurements={**sizes(functions, recipe), **measurements},
        files={
            **network_files(recipe, functions.state_dict()),
            CHANNELS_FILE: context.read("network", CHANNELS_FILE),
        },
    )


def _learn(context: Context, module: nn.Module, data: ImageData) -> dict[str, object]:
    """Train in place; the last and the best epoch."""
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
    return {"last": asdict(log.last), "best": asdict(log.best)}
