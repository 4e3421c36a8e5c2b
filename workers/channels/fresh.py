"""Builds a network anew at other widths, with the initial weights that a network built at those widths would have.

A factory that takes no widths is run as it is; while it runs, each tensor takes its wanted shape at the moment when
its layer registers it. So whatever the network does next to give it values (torch's own reset, a loop over all
modules at the end of a constructor) sees the small layer: its fans, and its channel counts as attributes.

Refuses to know seeds (the caller seeds torch's generator), pruned weights and where the shapes come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from workers.channels.rebuild import follow_shapes

_Hook = Callable[[nn.Module, str, Tensor], Tensor | None]


def build_resized(factory: Callable[[], nn.Module], shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """What a factory makes, with tensors of given shapes, at most as long as its own on every axis.

    At the factory's own shapes the result is what the factory makes, bit for bit. A tensor that is made with its values
    (`nn.Parameter(torch.ones(width))`) keeps the first of them. What a constructor works out from its own
    arguments (a standard deviation of 1 / sqrt(width), say) is that of the factory's widths: only layers are small.

    Args:
        factory: makes the same layers in the same order each time; called twice.
        shapes: tensor name -> shape; names that the network does not have are passed over.

    Raises:
        ValueError: the second call makes other layers than the first, or a tensor cannot have its shape.
    """
    names = _registered(factory)
    places = iter(names)

    def shrink(module: nn.Module, name: str, tensor: Tensor) -> Tensor | None:
        kind, path = next(places, (None, ""))
        if kind != (type(module), name):
            raise ValueError(
                f"{type(module).__name__}.{name}: was not made here before; layers must not depend on widths"
            )
        if path not in shapes or tensor.shape == shapes[path]:
            return None
        small = _leading(tensor, shapes[path], path)
        if isinstance(small, nn.Parameter):
            module._parameters[name] = small
        else:
            module._buffers[name] = small
        follow_shapes(module)
        return small

    with _at_registration(shrink):
        model = factory()
    wrong = [name for name, each in model.state_dict().items() if name in shapes and each.shape != shapes[name]]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: replaced after registration; its shape cannot be chosen")
    return model


def _registered(factory: Callable[[], nn.Module]) -> list[tuple[tuple[type[nn.Module], str], str]]:
    """What a factory registers, in order: the class and attribute, and the tensor's name (empty if it went again)."""
    found: list[tuple[nn.Module, str]] = []  # holds the modules, so that no identity is used twice
    with torch.random.fork_rng(devices=[]), _at_registration(lambda module, name, _: found.append((module, name))):
        model = factory()
    paths = {id(module): path for path, module in model.named_modules()}
    return [
        (
            (type(module), name),
            ".".join(filter(None, [paths[id(module)], name])) if id(module) in paths else "",
        )
        for module, name in found
    ]


@contextmanager
def _at_registration(hook: _Hook) -> Iterator[None]:
    """Call a hook with every parameter and buffer that any module registers; what it returns is registered instead."""

    def unless_none(module: nn.Module, name: str, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else hook(module, name, tensor)

    handles = [
        register_module_parameter_registration_hook(unless_none),  # type: ignore[arg-type]  # may return a tensor:
        register_module_buffer_registration_hook(unless_none),  # type: ignore[arg-type]  # torch's own words
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leading(tensor: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    if tensor.ndim != len(shape) or any(wanted > own for wanted, own in zip(shape, tensor.shape, strict=True)):
        raise ValueError(f"{name}: shape {shape} is wanted; at most the network's own {tuple(tensor.shape)} is allowed")
    part = tensor.detach()[tuple(slice(length) for length in shape)].clone()
    return nn.Parameter(part, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else part
