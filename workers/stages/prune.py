"""Stage `prune`: makes the smaller network, by removing channels or weights, or by mixing channels into fewer."""

from typing import TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor

from jobs.errors import BadNumericsError
from jobs.stages.base import ArtifactKey
from jobs.stages.common import CalibrationParams, Folding, Removal, Resampling
from jobs.stages.pruning import ChannelPruning, ChannelRewinding, PruneParams, WeightPruning
from workers.allocation import Allocation
from workers.artifacts import BIAS_PREFIX, KEPT_FILE, MIXTURE_FILE, PARTITION_FILE, SCORES_FILE
from workers.channels import InDouble, outputs_of, select
from workers.data import batches
from workers.inputs import Inputs
from workers.integral.matching import match_statistics
from workers.network import StoredNetwork, network_files, rebuild
from workers.stages._allocation import allocate_widths, dense_network
from workers.stages._base import Context, Product
from workers.stages._description import measure_smaller
from workers.stages._images import draw_images
from workers.stages._learning import spent
from workers.stages._mixing import Mixing, folding, mix, mixture_file, resampling
from workers.stages._selection import channels_left, selected
from workers.stages._smaller import cells_at, highest
from workers.stages._weights import remove_weights

_Made: TypeAlias = tuple[dict[str, Tensor], dict[str, bytes]]
"""The tensors of the smaller network, and further files."""


def run(context: Context[PruneParams]) -> Product:
    """Make the smaller network.

    Raises:
        BadInputError: The target is out of reach.
        ValueError: The sliced network's output is not the masked one's, or the number of parameters is not the
            predicted one: the channel analysis was wrong.
        BadNumericsError: The resampled network's output is not finite.
    """
    match context.params.procedure:
        case ChannelPruning() as procedure:
            return _prune_channels(context, procedure)
        case WeightPruning() as procedure:
            return remove_weights(context, procedure)
        case ChannelRewinding() as procedure:
            return _rewind(context, procedure)


def _prune_channels(context: Context[PruneParams], procedure: ChannelPruning) -> Product:
    """Measures what `measure_smaller` does and the training cost, if there is one.

    If channels were removed, the indices of those kept are a file, if they were mixed, the matrices; before a further
    round, the groups that are left.
    """
    network = context.network(procedure.network)
    allocation = allocate_widths(context, network, procedure.widths, how=procedure.how)
    inputs = network.recipe.inputs.draw(2, context.generator("images"), torch.float64)
    match procedure.how:
        case Removal() as how:
            state, files = _remove(context, network, how, allocation, inputs)
        case Resampling() | Folding() as how:
            state, files = _mix(context, network, procedure, how, allocation, inputs)
    trained = [network.measured]
    if procedure.tuned is not None:
        trained.append(context.artifacts.manifest(procedure.tuned).measurements)
    return Product(
        measurements={
            **measure_smaller(
                context, dense_network(context, network, procedure.widths), state, allocation, procedure.widths
            ),
            **spent(*trained),
        },
        files={
            **network_files(network.recipe, state),
            **files,
            **channels_left(network, allocation.widths, procedure.widths.round),
        },
    )


def _rewind(context: Context[PruneParams], procedure: ChannelRewinding) -> Product:
    """Measures what the task that chose the channels measured, whose recipe knows what follows from their number."""
    earlier, pruned = context.network(procedure.network), context.network(procedure.pruned)
    kept = pruned.read(KEPT_FILE)
    state = select(earlier.state, context.network(procedure.channels).channel_map, load(kept))
    return Product(measurements=pruned.measured, files={**network_files(pruned.recipe, state), KEPT_FILE: kept})


def _remove(
    context: Context[PruneParams], network: StoredNetwork, how: Removal, allocation: Allocation, inputs: Inputs
) -> _Made:
    scores = load(context.artifacts.read(how.scores, SCORES_FILE))
    kept = highest(scores, allocation.widths)
    return selected(network, kept, inputs), {KEPT_FILE: save(kept)}


def _mix(
    context: Context[PruneParams],
    network: StoredNetwork,
    procedure: ChannelPruning,
    how: Resampling | Folding,
    allocation: Allocation,
    inputs: Inputs,
) -> _Made:
    biases: dict[str, Tensor] = {}
    if isinstance(how, Folding):
        mixing = folding(network, how, allocation.widths, context.small_seed("clusters"))
    else:
        cells, biases = _cells(context, network, procedure.tuned, how, allocation)
        mixing = resampling(network, how, cells)
    state = {**mix(network, mixing), **biases}
    if procedure.images is not None:
        state = _matched(context, network, state, mixing, procedure.images)
    smaller = rebuild(network.recipe, state).double()
    with torch.inference_mode(), InDouble():
        outputs = outputs_of(smaller, inputs, network.recipe.parts)
        if not all(bool(each.isfinite().all()) for each in outputs):
            raise BadNumericsError("the resampled network's output is not finite on random inputs")
    return state, {MIXTURE_FILE: mixture_file(mixing, network.channel_map)}


def _cells(
    context: Context[PruneParams],
    network: StoredNetwork,
    tuned: ArtifactKey | None,
    how: Resampling,
    allocation: Allocation,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The cells of every group, and biases that were tuned with them."""
    if tuned is None:
        return cells_at(network.state, network.channel_map, allocation.widths, how.partition), {}
    partition = load(context.artifacts.read(tuned, PARTITION_FILE))
    biases = {
        name.removeprefix(BIAS_PREFIX): tensor for name, tensor in partition.items() if name.startswith(BIAS_PREFIX)
    }
    return {name: partition[name] for name in allocation.widths}, biases


def _matched(
    context: Context[PruneParams],
    network: StoredNetwork,
    state: dict[str, Tensor],
    mixing: Mixing,
    images: CalibrationParams,
) -> dict[str, Tensor]:
    """The tensors with the statistics of the network that they were resampled from, on calibration images."""
    split = draw_images(context, images)
    [(inputs, _)] = batches(split, len(split), device=context.device)
    smaller = rebuild(network.recipe, state).to(context.device)
    nodes = {name: each.to(context.device) for name, each in mixing.nodes.items()}
    dense = rebuild(network.recipe, mixing.state).to(context.device)
    match_statistics(smaller, dense, network.channel_map, nodes, mixing.quadrature, inputs)
    return dict(smaller.cpu().state_dict())
