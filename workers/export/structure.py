"""In what a pruned network differs from the one that its factory builds: shapes, and attributes that follow them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.channels import apply_folding_structure, load_resized
from workers.network import NetworkRecipe

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Name of a tensor -> its shape."""

Attributes: TypeAlias = Mapping[str, Mapping[str, int | tuple[int, ...] | list[int]]]
"""Name of a module -> its attribute -> its value; of a buffer its shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The differences.

    Attributes:
        resized: The shapes, as they are built, of tensors that have other ones in the pruned network; a folded batch
            norm's bias counts as the layer's.
        attributes: The attributes that have other values, with those of the pruned network.
    """

    resized: Shapes
    attributes: Attributes


def rebuild_compared(
    recipe: NetworkRecipe, state: Mapping[str, Tensor], original: Shapes | None = None
) -> tuple[nn.Module, Structure]:
    """A network from its recipe and tensors, as by `network.rebuild`, and what is different in it.

    Args:
        recipe: The recipe of the module.
        state: Its tensors.
        original: The shapes of the network when it was built for the sweep; compared with those of today where known.

    Returns:
        The module, in evaluation mode, on the CPU, and the differences.

    Raises:
        BadInputError: The network cannot be built, or is another one than in the sweep: all names that differ.
    """
    with torch.random.fork_rng(devices=[]):  # building draws initial weights, which are discarded
        module = recipe.construct()
    if original is not None:
        _check_unchanged(recipe.network, shapes_of(module.state_dict()), original)
    try:
        apply_folding_structure(module, list(recipe.folded))
        shapes, attributes = shapes_of(module.state_dict()), _attributes(module)
        load_resized(module, state)
    except (ValueError, AttributeError) as error:
        raise BadInputError(f"network '{recipe.network}': has changed since the sweep ran: {error}") from error
    resized = {name: shape for name, shape in shapes.items() if shape != tuple(state[name].shape)}
    return module.eval(), Structure(resized=resized, attributes=_changed(attributes, _attributes(module)))


def shapes_of(state: Mapping[str, Tensor]) -> Shapes:
    """The shapes of a state's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _check_unchanged(network: str, found: Shapes, original: Shapes) -> None:
    differing = [
        *(f"{name}: new" for name in sorted(found.keys() - original.keys())),
        *(f"{name}: gone" for name in sorted(original.keys() - found.keys())),
        *(
            f"{name}: {found[name]}, in the sweep {original[name]}"
            for name in sorted(found.keys() & original.keys())
            if found[name] != original[name]
        ),
    ]
    if differing:
        head = f"network '{network}': has changed since the sweep ran; go back to its code, or run the sweep again:"
        raise BadInputError("\n  ".join([head, *differing]))


def _attributes(module: nn.Module) -> Attributes:
    """The whole numbers that modules keep as attributes, alone or in tuples: counts of channels, groups, heads ...

    And the shapes of the buffers that are no part of the state.
    """
    return {
        path: {name: value for name, value in vars(each).items() if _is_simple(value)} | _shapes_of_buffers(each)
        for path, each in module.named_modules()
    }


def _shapes_of_buffers(module: nn.Module) -> dict[str, tuple[int, ...]]:
    names = module._non_persistent_buffers_set
    return {name: tuple(each.shape) for name, each in module._buffers.items() if name in names and each is not None}


def _is_simple(value: object) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_simple(each) and isinstance(each, int) for each in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _changed(before: Attributes, after: Attributes) -> Attributes:
    changed = {
        path: {name: value for name, value in values.items() if before[path].get(name) != value}
        for path, values in after.items()
    }
    return {path: values for path, values in changed.items() if values}
