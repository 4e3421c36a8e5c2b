"""Training that brings parts of a network towards zero, before any of them is removed."""

from jobs.stages.training import SparseTraining, TrainParams
from workers.network import network_files, sizes
from workers.sparsity import make_regulariser
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._learning import epochs_measured, learn, spent_after


def train_sparsely(context: Context[TrainParams], procedure: SparseTraining) -> Product:
    """Train all weights of the network with a regulariser.

    The weights of the best epoch are not kept: sparsity is complete only after the last one.
    """
    network, data = context.network(procedure.network), read_data(context, context.params.data)
    module, recipe, analysis = network.module(context.device), network.recipe, context.network(procedure.analysis)
    regulariser = make_regulariser(
        procedure.sparsify,
        module,
        analysis.channel_map,
        recipe.inputs,
        compression=procedure.compression or 0.0,
        target=procedure.target or "parameters",
        limits=procedure.limits,
        multiple=procedure.multiple or 1,
        parts=analysis.recipe.parts,
    )
    trained = learn(context, module, data, procedure.recipe, regulariser)
    module = module.cpu().eval()
    size = sizes(module, recipe)
    return Product(
        measurements={
            **size,
            **epochs_measured(trained),
            **spent_after({**network.measured, **size}, trained, data),
        },
        files=network_files(recipe, module.state_dict()),
        timings=trained.speed.timings(),
    )
