"""Stage `analyse`: finds the channel groups of an architecture and the norms that are folded; it needs no weights."""

import json
from dataclasses import replace

from jobs.errors import BadInputError
from jobs.stages.channels import AnalyseParams, Architecture
from workers.artifacts import CHANNELS_FILE, RECIPE_FILE
from workers.inputs import InputSpec
from workers.models.sources import arguments_with
from workers.network import NetworkRecipe
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.structure import find_structure, nothing_goes


def run(context: Context[AnalyseParams]) -> Product:
    """Analyse an architecture.

    The artifact is that of a network without weights: its recipe, and its channel groups.

    Measures the channel groups (`groups`: name and width), and what was refused and why (`refused`).

    Raises:
        BadInputError: The network, or a part of it, cannot be built or traced, or nothing of it can be removed; or a
            part is unknown.
    """
    params = context.params
    recipe = _recipe(params.architecture, _inputs(context), context.task.locations.weights)
    found = find_structure(replace(recipe, parts=params.parts or ()), fold=params.fold_batchnorm)
    if why := nothing_goes(found):
        raise BadInputError(why)
    return Product(
        measurements={
            "groups": [{"name": group.name, "width": group.width} for group in found.channel_map.groups],
            "refused": [
                {"layers": list(group.layers), "operator": group.operator, "reason": group.reason}
                for group in found.channel_map.refused
            ],
        },
        files={
            RECIPE_FILE: found.recipe.to_json(),
            CHANNELS_FILE: json.dumps(found.channel_map.to_json()).encode(),
        },
    )


def _inputs(context: Context[AnalyseParams]) -> InputSpec:
    """What the network takes: as the sweep says, or as the data shows.

    Raises:
        ValueError: There is neither; planning gives one.
    """
    said = context.params.architecture.inputs
    if said is not None:
        return InputSpec.of(said)
    if context.params.data is None:
        raise ValueError("neither `inputs` nor `data` is given")
    return read_data(context, context.params.data).inputs


def _recipe(architecture: Architecture, inputs: InputSpec, weights: str | None) -> NetworkRecipe:
    """The recipe of an architecture; `weights` are those whose arguments it has, if there are any."""
    arguments, backbone = architecture.arguments, architecture.backbone
    if architecture.arguments_of is not None and weights is not None:
        arguments = arguments_with(architecture.network, arguments, weights)
    return NetworkRecipe(
        network=architecture.network,
        arguments=arguments,
        inputs=inputs,
        backbone=_recipe(backbone, inputs, weights) if backbone is not None else None,
    )
