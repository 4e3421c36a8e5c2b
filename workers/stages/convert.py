"""Stage `convert`: fold batch norm where it may be folded, and find the channel groups."""

import json
from dataclasses import replace

import torch

from workers.channels import find_groups, fold_model
from workers.network import network_files, read_network, sizes
from workers.stages._base import Context, Product
from workers.stages._learning import spent

CHANNELS_FILE = "channels.json"


def run(context: Context) -> Product:
    """Analyse a network.

    Params: `fold_batchnorm`. Measures the channel groups (`groups`: name and width), what was refused and why
    (`refused`), the sizes of the network and, where it was trained on the way here, what was spent.
    """
    module, recipe = read_network(context)
    module = module.cpu()
    if context.params["fold_batchnorm"]:
        pairs = fold_model(module, recipe.input_shape)
        recipe = replace(recipe, folded=tuple(pairs))
    with torch.no_grad():
        channel_map = find_groups(module, recipe.input_shape)
    return Product(
        measurements={
            "groups": [{"name": group.name, "width": group.width} for group in channel_map.groups],
            "refused": [
                {"layers": list(group.layers), "operator": group.operator, "reason": group.reason}
                for group in channel_map.refused
            ],
            **sizes(module, recipe),
            **spent(context.measured("network")),
        },
        files={
            **network_files(recipe, module.state_dict()),
            CHANNELS_FILE: json.dumps(channel_map.to_json()).encode(),
        },
    )
