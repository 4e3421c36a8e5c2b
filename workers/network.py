"""Networks as artifacts: a recipe that rebuilds the module, and its tensors. No pickles.

`network.json` says how the module is built and which batch norms were folded; `weights.safetensors` holds every
tensor of the state, in whatever sizes pruning left it. Loading needs no analysis of channels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from jobs.identity import Json
from workers.channels import apply_folding_structure, load_resized
from workers.measure import count_macs, num_parameters, size_bytes
from workers.models import build
from workers.stages._base import Context

RECIPE_FILE = "network.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to rebuild a module.

    Attributes:
        network: Name of the network, as in the sweep file.
        arguments: Its keyword arguments.
        input_shape: Shape of one image (channels, height, width).
        folded: (layer, batch norm) pairs of which the norm went into the layer.
    """

    network: str
    arguments: Mapping[str, Json]
    input_shape: tuple[int, ...]
    folded: tuple[tuple[str, str], ...] = ()


def network_files(recipe: Recipe, state: Mapping[str, Tensor]) -> dict[str, bytes]:
    """The files of a network artifact."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    return {RECIPE_FILE: json.dumps(asdict(recipe)).encode(), WEIGHTS_FILE: save(tensors)}


def read_recipe(context: Context, role: str = "network") -> Recipe:
    """The recipe of the network artifact in a role."""
    return parse_recipe(context.read_json(role, RECIPE_FILE))


def parse_recipe(value: Json) -> Recipe:
    """The recipe that `network.json` holds."""
    return Recipe(
        network=value["network"],
        arguments=value["arguments"],
        input_shape=tuple(value["input_shape"]),
        folded=tuple((layer, norm) for layer, norm in value["folded"]),
    )


def read_state(context: Context, role: str = "network") -> dict[str, Tensor]:
    """The tensors of the network artifact in a role, on the CPU."""
    return load(context.read(role, WEIGHTS_FILE))


def rebuild(recipe: Recipe, state: Mapping[str, Tensor]) -> nn.Module:
    """The module of a recipe with the tensors of a state, in evaluation mode, on the CPU.

    Raises:
        BadInputError: The network cannot be built.
    """
    with torch.random.fork_rng(devices=[]):  # building draws initial weights, which are thrown away
        module = build(recipe.network, recipe.arguments)
    apply_folding_structure(module, list(recipe.folded))
    load_resized(module, state)
    return module.eval()


def read_network(context: Context, role: str = "network") -> tuple[nn.Module, Recipe]:
    """The network artifact in a role, as a module on the stage's device, with its recipe."""
    recipe = read_recipe(context, role)
    return rebuild(recipe, read_state(context, role)).to(context.device), recipe


def sizes(module: nn.Module, recipe: Recipe) -> dict[str, int]:
    """`params`, `macs` (of one image) and `size_bytes` of a network."""
    return {
        "params": num_parameters(module),
        "macs": count_macs(module, recipe.input_shape),
        "size_bytes": size_bytes(module.state_dict()),
    }
