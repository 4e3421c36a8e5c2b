"""Stage `convert`: folds batch norms where possible, and finds the channel groups."""

import json
from dataclasses import replace

import torch

from jobs.errors import BadInputError
from jobs.stages.channels import ConvertParams
from workers.artifacts import CHANNELS_FILE, MOMENTS_FILE
from workers.channels import ChannelMap, find_groups, fold_batchnorm, fold_pairs
from workers.integral.moments import folded_moments
from workers.network import network_files, sizes
from workers.stages._base import Context, Product
from workers.stages._learning import spent


def run(context: Context[ConvertParams]) -> Product:
    """Analyse a network.

    Measures the channel groups (`groups`: name and width), what was refused and why (`refused`), the sizes of the
    network and, if it was trained further, the training cost.

    Raises:
        BadInputError: The network, or a part of it, cannot be traced, or nothing of it can be removed; or a part is
            unknown.
    """
    network = context.network(context.params.network)
    module, recipe = network.module(), network.recipe
    parts = context.params.parts or ()
    try:
        pairs = fold_batchnorm(module, recipe.inputs, parts) if context.params.fold_batchnorm else []
        moments = folded_moments(module, pairs)
        if pairs:
            fold_pairs(module, pairs)
            recipe = replace(recipe, folded=tuple(pairs))
        with torch.no_grad():
            channel_map = find_groups(module, recipe.inputs, parts=parts)
        recipe = replace(
            recipe,
            parts=parts,
            applications=channel_map.applications if parts else {},
            attributes=channel_map.attributes,
        )
    except ValueError as error:
        raise BadInputError(
            f"{error}; where only parts of a network can be traced, name them in the sweep file, such as "
            "`prunable: [backbone]`"
        ) from error
    if not channel_map.groups:
        raise BadInputError(_nothing_goes(recipe.network, channel_map))
    return Product(
        measurements={
            "groups": [{"name": group.name, "width": group.width} for group in channel_map.groups],
            "refused": [
                {"layers": list(group.layers), "operator": group.operator, "reason": group.reason}
                for group in channel_map.refused
            ],
            **sizes(module, recipe),
            **spent(network.measured),
        },
        files={
            **network_files(recipe, module.state_dict()),
            CHANNELS_FILE: json.dumps(channel_map.to_json()).encode(),
            MOMENTS_FILE: moments.to_bytes(),
        },
    )


_MOST_REASONS = 5


def _nothing_goes(network: str, channel_map: ChannelMap) -> str:
    """Why no channel of a network can be removed, in words."""
    refused = channel_map.refused
    reasons = "; ".join(
        f"{', '.join(each.layers)}: {each.reason} ({each.operator}{f' in {each.where}' if each.where else ''})"
        for each in refused[:_MOST_REASONS]
    )
    more = f"; and {len(refused) - _MOST_REASONS} more" if len(refused) > _MOST_REASONS else ""
    return (
        f"network '{network}': no channel of it can be removed: "
        f"{reasons or 'none of its layers makes channels that another layer reads'}{more}; prune single weights "
        "instead (an unstructured method), or name parts whose channels may go, such as `prunable: [backbone]`"
    )
