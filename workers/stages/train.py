"""Stage `train`: a network with weights: learnt from the data, loaded from a checkpoint, or those it starts with.

With a network for input that one is trained: as functions at all sizes at once, on from its weights, or from scratch.
"""

from dataclasses import replace

import torch

from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.models import build, load_weights
from workers.network import BEST_FILE, Recipe, network_files, read_network, sizes, state_bytes
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.stages._learning import epochs_measured, learn, spent_after
from workers.stages._protocols import train_from_scratch, train_further
from workers.stages._sparsifying import train_sparsely
from workers.stages.convert import CHANNELS_FILE
from workers.training import Recipe as TrainingRecipe


def run(context: Context) -> Product:
    """Build or read the network, give it weights, keep it.

    Params without an input network: `network`, `arguments`, `weights` (fingerprint of the checkpoint, or None), `train`
    (recipe; None with a checkpoint, or for a network that is not to be trained), `until` (where the training ends
    before its schedule), `data`, `seed`. With one: `how`, `train`, `data`, `seed`, and for

    - `functions`, an integral network: `smallest` (size, as a fraction);
    - `further`: `begin` (epochs of the schedule that are left out), where it is not 0;
    - `sparsify`, with a penalty: `regulariser` (its kind and settings);
    - `scratch`, with the network before it was pruned in the role `dense`: `budget` (`cap`, `fine_tuning_epochs`),
      where the epochs are to cost what the dense network's cost.

    Measures `params`, `macs`, `size_bytes`; where it trained, the `last` and the `best` epoch; with an input network
    what was spent since the model's own weights, `training_epochs` and `training_macs`, and for a pruned network
    what its own task measured.
    """
    ways = {
        "functions": _train_functions,
        "further": train_further,
        "scratch": train_from_scratch,
        "sparsify": train_sparsely,
    }
    return ways[context.params["how"]](context) if "network" in context.task.inputs else _train_model(context)


def _train_model(context: Context) -> Product:
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
    files: dict[str, bytes] = {}
    if "weights" in context.task.locations:
        load_weights(module, context.task.locations["weights"])
    elif context.params["train"] is not None:
        schedule = replace(TrainingRecipe.from_json(context.params["train"]), until=context.params.get("until"))
        trained = learn(context, module, data, schedule)
        measurements, files = epochs_measured(trained), {BEST_FILE: state_bytes(trained.best)}
    module = module.cpu().eval()
    return Product(
        measurements={**sizes(module, recipe), **measurements},
        files={**network_files(recipe, module.state_dict()), **files},
    )


def _train_functions(context: Context) -> Product:
    module, recipe = read_network(context)
    network = IntegralNetwork(module, read_channels(context))
    drawn = DrawnSizes(network, seed=context.generator("sizes").initial_seed(), smallest=context.params["smallest"])
    data, schedule = read_data(context), TrainingRecipe.from_json(context.params["train"])
    trained = learn(context, drawn, data, schedule)
    functions = network.functions.cpu().eval()  # as many coefficients as channels: the network at full size
    size = sizes(functions, recipe)
    return Product(
        measurements={**size, **epochs_measured(trained), **spent_after(size, schedule, data)},
        files={
            **network_files(recipe, functions.state_dict()),
            CHANNELS_FILE: context.read("network", CHANNELS_FILE),
        },
    )
