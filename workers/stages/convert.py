"""Stage `convert`: gives a network its channel groups, and folds its batch norms as they were analysed."""

import copy
import json
from dataclasses import replace

import torch
from torch import nn

from jobs.errors import BadNetworkError
from jobs.stages.channels import ConvertParams
from workers.artifacts import CHANNELS_FILE, MOMENTS_FILE
from workers.channels import InDouble, applications_of, fold_pairs, largest_difference, outputs_of
from workers.inputs import Inputs
from workers.integral.moments import folded_moments
from workers.network import network_files, sizes
from workers.stages._base import Context, Product
from workers.stages._learning import spent
from workers.structure import Structure, check_fits

_TOLERANCE = 1e-6


def run(context: Context[ConvertParams]) -> Product:
    """Bring together a network and the analysis of its architecture.

    Of a network that only parts can be traced of, how often its layers are applied is counted with its own weights.

    Measures the channel groups (`groups`) and what was refused (`refused`), as `analyse` did, the sizes of the network
    and, if it was trained further, the training cost.

    Raises:
        BadInputError: The network has another structure than the one that was analysed.
        BadNetworkError: Folding changes what the network computes.
    """
    network, analysis = context.network(context.params.network), context.network(context.params.analysis)
    found = Structure(recipe=analysis.recipe, channel_map=analysis.channel_map)
    check_fits(found, network.state)
    module, channels = network.module(), analysis.read(CHANNELS_FILE)
    moments = folded_moments(module, found.recipe.folded)
    if found.recipe.folded:
        _check_folding(module, found, network.recipe.inputs.draw(2, context.generator("images"), torch.float64))
    fold_pairs(module, found.recipe.folded)
    recipe = replace(
        network.recipe,
        folded=found.recipe.folded,
        parts=found.recipe.parts,
        attributes=found.recipe.attributes,
        applications={},
    )
    if recipe.parts:
        times = applications_of(module, recipe.inputs, recipe.parts, found.channel_map.applications)
        recipe = replace(recipe, applications=times)
        channels = json.dumps(replace(found.channel_map, applications=times).to_json()).encode()
    return Product(
        measurements={
            **{name: analysis.measured[name] for name in ("groups", "refused")},
            **sizes(module, recipe),
            **spent(network.measured),
        },
        files={
            **network_files(recipe, module.state_dict()),
            CHANNELS_FILE: channels,
            MOMENTS_FILE: moments.to_bytes(),
        },
    )


def _check_folding(module: nn.Module, found: Structure, inputs: Inputs) -> None:
    """Compare a network's outputs, and those of its parts, before and after folding, in double precision."""
    trial = copy.deepcopy(module).double()
    with torch.inference_mode(), InDouble():
        expected = outputs_of(trial, inputs, found.recipe.parts)
        fold_pairs(trial, found.recipe.folded)
        difference = largest_difference(outputs_of(trial, inputs, found.recipe.parts), expected)
    if not difference <= _TOLERANCE:
        raise BadNetworkError(
            f"network '{found.recipe.network}': folding its batch norms changes its outputs by {difference:.1e} of the "
            "largest one; do its layers use their own `weight` and `bias`, and only these? `batchnorm: keep` leaves "
            "the norms as they are"
        )
