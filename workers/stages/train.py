"""Stage `train`: a network with weights: trained on the data, loaded from a file, or initial ones.

Given another network, that one is trained: as functions at all sizes at once, further, from scratch, sparsely, or as
the backbone of a further one.
"""

import logging

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
from workers.artifacts import CHANNELS_FILE
from workers.data import ImageData
from workers.inputs import InputSpec
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.models import build, build_with_weights, with_plain_weights
from workers.models.sources import arguments_with
from workers.models.weights import LoadedWeights
from workers.network import NetworkRecipe, network_files, sizes
from workers.stages._allocation import groups_kept_whole
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._learning import epochs_measured, learn, spent_after, states_beside
from workers.stages._protocols import train_from_scratch, train_further, transfer
from workers.stages._sparsifying import train_sparsely
from workers.stages._teaching import read_teacher

_log = logging.getLogger("orchard")


def run(context: Context[TrainParams]) -> Product:
    """Build or read the network, and give it weights.

    Measures `params`, `macs`, `size_bytes`; of given weights how they were found (`weights_layout`) and which layers
    have fresh ones all the same (`fresh_layers`); of a training, the `last` and the `best` epoch, and its `precision`;
    for a given network the training cost since the model's own weights, `training_epochs` and `training_macs`, and if
    it is pruned, what its own task measured.
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
    arguments, weights = procedure.arguments, context.task.locations.weights
    measurements: dict[str, Json] = {}
    files: dict[str, bytes] = {}
    timings: dict[str, float] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        if procedure.arguments_of is not None and weights is not None:
            arguments, weights = arguments_with(procedure.network, arguments, weights), None
        if weights is None:
            module = build(procedure.network, arguments)
        else:
            made = build_with_weights(procedure.network, arguments, weights, procedure.reading)
            module, arguments, measurements = made.module, made.arguments, _weights_measured(weights, made.loaded)
    module = with_plain_weights(module)
    recipe = NetworkRecipe(network=procedure.network, arguments=arguments, inputs=_inputs(procedure, data))
    size = sizes(module, recipe)  # before it is trained: this also finds that it does not take what the data gives
    if procedure.recipe is not None:
        trained = learn(context, module, data, procedure.recipe)
        measurements, files = {**measurements, **epochs_measured(trained)}, states_beside(trained)
        timings = trained.speed.timings()
    module = module.cpu().eval()
    return Product(
        measurements={**size, **measurements},
        files={**network_files(recipe, module.state_dict()), **files},
        timings=timings,
    )


def _weights_measured(source: str, loaded: LoadedWeights) -> dict[str, Json]:
    """How weights were found, which is also logged, and the layers that have fresh ones."""
    fresh = f"; fresh weights: {', '.join(loaded.fresh)}" if loaded.fresh else ""
    aside = f"; left aside: {', '.join(loaded.aside)}" if loaded.aside else ""
    _log.info("weights %s: %s%s%s", source, loaded.layout, fresh, aside)
    return {"weights_layout": loaded.layout, **({"fresh_layers": list(loaded.fresh)} if loaded.fresh else {})}


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
    drawn = DrawnSizes(
        network,
        seed=context.generator("sizes").initial_seed(),
        smallest=procedure.smallest,
        whole=groups_kept_whole(source.channel_map, procedure.limits),
    )
    data = read_data(context, context.params.data)
    teacher = read_teacher(context, procedure.teacher, procedure.recipe, drawn)
    trained = learn(context, drawn, data, procedure.recipe, teacher=teacher)
    functions = network.functions.cpu().eval()  # as many coefficients as channels: the network at full size
    size = sizes(functions, source.recipe)
    return Product(
        measurements={**size, **epochs_measured(trained), **spent_after(size, trained, data, teacher)},
        files={
            **network_files(source.recipe, functions.state_dict()),
            CHANNELS_FILE: source.read(CHANNELS_FILE),
        },
        timings=trained.speed.timings(),
    )
