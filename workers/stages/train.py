"""Stage `train`: a network with weights: trained on the data, loaded from a file, or initial ones.

Given another network, that one is trained: as functions at all sizes at once, further, from scratch, sparsely, or as
the backbone of a further one.
"""

import torch

from jobs.identity import Json
from jobs.stages.training import (
    FurtherTraining,
    IntegralTraining,
    ModelWeights,
    ScratchTraining,
    SparseTraining,
    TrainParams,
    TransferTraining,
)
from workers.artifacts import BEST_FILE, CHANNELS_FILE
from workers.data import ImageData
from workers.inputs import InputSpec
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.models import build, load_weights
from workers.network import NetworkRecipe, network_files, sizes, state_bytes
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._learning import epochs_measured, learn, spent_after
from workers.stages._protocols import train_from_scratch, train_further, transfer
from workers.stages._sparsifying import train_sparsely


def run(context: Context[TrainParams]) -> Product:
    """Build or read the network, and give it weights.

    Measures `params`, `macs`, `size_bytes`; of a training, the `last` and the `best` epoch; for a given network the
    training cost since the model's own weights, `training_epochs` and `training_macs`, and if it is pruned, what its
    own task measured.
    """
    match context.params.procedure:
        case ModelWeights() as procedure:
            return _train_model(context, procedure)
        case IntegralTraining() as procedure:
            return _train_functions(context, procedure)
        case FurtherTraining() as procedure:
            return train_further(context, procedure)
        case ScratchTraining() as procedure:
            return train_from_scratch(context, procedure)
        case SparseTraining() as procedure:
            return train_sparsely(context, procedure)
        case TransferTraining() as procedure:
            return transfer(context, procedure)


def _train_model(context: Context[TrainParams], procedure: ModelWeights) -> Product:
    data = read_data(context, context.params.data)
    recipe = NetworkRecipe(network=procedure.network, arguments=procedure.arguments, inputs=_inputs(procedure, data))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        module = build(recipe.network, recipe.arguments)
    measurements: dict[str, Json] = {}
    files: dict[str, bytes] = {}
    if context.task.locations.weights is not None:
        load_weights(module, context.task.locations.weights)
    elif procedure.recipe is not None:
        trained = learn(context, module, data, procedure.recipe)
        measurements, files = epochs_measured(trained), {BEST_FILE: state_bytes(trained.best)}
    module = module.cpu().eval()
    return Product(
        measurements={**sizes(module, recipe), **measurements},
        files={**network_files(recipe, module.state_dict()), **files},
    )


def _inputs(procedure: ModelWeights, data: ImageData) -> InputSpec:
    """What the network takes: as the sweep says, or as the data shows.

    Raises:
        BadInputError: The data gives other arguments than the sweep says.
    """
    if procedure.inputs is None:
        return data.inputs
    inputs = InputSpec.of(procedure.inputs)
    inputs.check_like(data.sample)
    return inputs


def _train_functions(context: Context[TrainParams], procedure: IntegralTraining) -> Product:
    source = context.network(procedure.network)
    network = IntegralNetwork(source.module(context.device), source.channel_map)
    drawn = DrawnSizes(network, seed=context.generator("sizes").initial_seed(), smallest=procedure.smallest)
    data = read_data(context, context.params.data)
    trained = learn(context, drawn, data, procedure.recipe)
    functions = network.functions.cpu().eval()  # as many coefficients as channels: the network at full size
    size = sizes(functions, source.recipe)
    return Product(
        measurements={**size, **epochs_measured(trained), **spent_after(size, procedure.recipe, data)},
        files={
            **network_files(source.recipe, functions.state_dict()),
            CHANNELS_FILE: source.read(CHANNELS_FILE),
        },
    )
