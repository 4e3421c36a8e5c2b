"""Networks as artifacts: a recipe that rebuilds the module, and its tensors. No pickles.

`network.json` says how the module is built and which batch norms were folded; `weights.safetensors` holds every
tensor of the state, in whatever sizes pruning left it. Loading needs no analysis of channels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from jobs.errors import BadInputError
from jobs.identity import Json
from workers.channels import apply_folding_structure, build_resized, load_resized
from workers.measure import count_macs, num_parameters, size_bytes
from workers.models import build
from workers.stages._base import Context

RECIPE_FILE = "network.json"
WEIGHTS_FILE = "weights.safetensors"
BEST_FILE = "best.safetensors"
"""Where the network was trained: its tensors after the epoch that was best on the validation split."""

MASKS_FILE = "masks.safetensors"
"""Where single weights were removed: name of a parameter -> which of its weights are there."""

_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


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


def network_files(
    recipe: Recipe, state: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
) -> dict[str, bytes]:
    """The files of a network artifact.

    Args:
        recipe: How the module is built.
        state: Its tensors.
        masks: Of a network of which single weights were removed.
    """
    files = {RECIPE_FILE: json.dumps(asdict(recipe)).encode(), WEIGHTS_FILE: state_bytes(state)}
    return {**files, MASKS_FILE: state_bytes(masks)} if masks else files


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state as the bytes of a safetensors file."""
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()})


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


def read_masks(context: Context, role: str = "network") -> dict[str, Tensor]:
    """Which single weights the network artifact in a role has, on the CPU; empty where none was removed."""
    has_masks = MASKS_FILE in context.manifest(context.task.inputs[role]).files
    return load(context.read(role, MASKS_FILE)) if has_masks else {}


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


def start_anew(recipe: Recipe, state: Mapping[str, Tensor]) -> tuple[nn.Module, Recipe]:
    """A network's architecture with the initial weights of one built at its widths.

    Of the state only shapes count, and lists of whole numbers, which say what is selected.

    Batch norms that were folded are there again, as wide as the layers that they went into. Weights are drawn from
    torch's global generator.

    Returns:
        The module, in evaluation mode, on the CPU, and its recipe.

    Raises:
        BadInputError: The network cannot be built, or not at these widths.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for layer, norm in recipe.folded:
        shapes |= {f"{norm}.{name}": shapes[f"{layer}.weight"][:1] for name in _NORM_TENSORS}
    recipe = replace(recipe, folded=())
    try:
        fresh = build_resized(lambda: build(recipe.network, recipe.arguments), shapes)
    except ValueError as error:
        raise BadInputError(
            f"network '{recipe.network}': cannot be started anew at its pruned widths: {error}"
        ) from error
    numbers = {name: state[name] for name in fresh.state_dict() if _is_list_of_numbers(state.get(name))}
    return rebuild(recipe, fresh.state_dict() | numbers), recipe


def _is_list_of_numbers(tensor: Tensor | None) -> bool:
    """Whether it says which channels are read: not a weight, and no counter."""
    return tensor is not None and tensor.dtype is torch.int64 and tensor.ndim > 0


def read_network(context: Context, role: str = "network") -> tuple[nn.Module, Recipe]:
    """The network artifact in a role, as a module on the stage's device, with its recipe."""
    recipe = read_recipe(context, role)
    return rebuild(recipe, read_state(context, role)).to(context.device), recipe


def sizes(module: nn.Module, recipe: Recipe, masks: Mapping[str, Tensor] | None = None) -> dict[str, int]:
    """`params`, `macs` (of one image) and `size_bytes` of a network.

    Where single weights were removed, these are no parameters and are not multiplied, and their zeros are bytes.
    """
    return {
        "params": num_parameters(module, masks or {}),
        "macs": count_macs(module, recipe.input_shape, masks or {}),
        "size_bytes": size_bytes(module.state_dict()),
    }
