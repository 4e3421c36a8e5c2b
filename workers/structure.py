"""The structure of a network: what of it can be pruned, found without its weights.

The network is built with initial weights and analysed. What is found holds for every network of the same recipe,
whatever its weights: for all seeds and checkpoints.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jobs.errors import BadInputError
from workers.channels import ChannelMap, find_groups, fold_model, folded_shapes
from workers.measure.running import run_counted
from workers.network import NetworkRecipe

_SEED = 0
"""Of the initial weights: a network that is run to find the inputs of its parts is always the same."""

_MOST_DIFFERENCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What was found.

    Attributes:
        recipe: The recipe of the network, with the norms that are folded and the attributes that follow from widths.
        channel_map: Its channel groups.
    """

    recipe: NetworkRecipe
    channel_map: ChannelMap


def find_structure(recipe: NetworkRecipe, *, fold: bool = False) -> Structure:
    """Build and analyse a network.

    Args:
        recipe: Of the network, with the parts whose channels may go, and nothing folded.
        fold: Whether batch norms are folded where possible.

    Raises:
        BadInputError: It cannot be built, or not be run on such inputs; it, or a part of it, cannot be traced; or a
            part is unknown.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        module = recipe.construct().eval()
    try:
        with torch.no_grad():
            folded = fold_model(module, recipe.inputs, recipe.parts) if fold else []
            channel_map = find_groups(module, recipe.inputs, parts=recipe.parts)
    except ValueError as error:
        run_counted(module, recipe.inputs, lambda *_: nullcontext(), purpose=f"network '{recipe.network}'")
        raise BadInputError(
            f"network '{recipe.network}': {error}; where only parts of a network can be traced, name them in the sweep "
            "file, such as `prunable: [backbone]`"
        ) from error
    return Structure(
        recipe=replace(recipe, folded=tuple(folded), attributes=channel_map.attributes), channel_map=channel_map
    )


def check_fits(found: Structure, state: Mapping[str, Tensor]) -> None:
    """Check that a network has the structure that was found.

    Args:
        found: The structure.
        state: Tensors of the network, before any norm is folded.

    Raises:
        BadInputError: Names or shapes of its tensors differ.
    """
    expected = found.channel_map.shapes
    shapes = folded_shapes({name: tuple(each.shape) for name, each in state.items()}, found.recipe.folded)
    differing = [
        f"'{name}' has shape {shape}, and had {expected[name]}" if name in expected else f"'{name}' was not there"
        for name, shape in shapes.items()
        if expected.get(name) != shape
    ]
    differing += [f"'{name}' is missing" for name in expected if name not in shapes]
    if differing:
        raise BadInputError(
            f"network '{found.recipe.network}' differs from what the same callable built with the same arguments when "
            f"it was analysed: {_some(differing)}; the structure of a network has to follow from its `arguments` alone"
        )


def nothing_goes(found: Structure) -> str:
    """Why no channel of a network can be removed, in words; empty where one can."""
    if found.channel_map.groups:
        return ""
    reasons = [
        f"{', '.join(each.layers)}: {each.reason} ({each.operator}{f' in {each.where}' if each.where else ''})"
        for each in found.channel_map.refused
    ]
    return (
        f"network '{found.recipe.network}': no channel of it can be removed: "
        f"{_some(reasons) or 'none of its layers makes channels that another layer reads'}; prune single weights "
        "instead (an unstructured method), or name parts whose channels may go, such as `prunable: [backbone]`"
    )


def _some(said: Sequence[str]) -> str:
    more = f"; and {len(said) - _MOST_DIFFERENCES} more" if len(said) > _MOST_DIFFERENCES else ""
    return "; ".join(said[:_MOST_DIFFERENCES]) + more
