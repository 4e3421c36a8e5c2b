"""Builds a network at other widths, with the initial weights that a network built at those widths would have.

A factory that takes no widths is run as it is; while it runs, each tensor takes its requested shape at the moment when
its layer registers it. So any later initialisation (torch's own reset, a loop over all modules at the end of a
constructor) works on the small layer, with its fans and its channel counts as attributes.

The caller seeds torch's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.utils import parametrize

from workers.channels import headwise
from workers.channels.rebuild import follow_shapes

_Hook = Callable[[nn.Module, str, Tensor], Tensor | None]


def build_resized(factory: Callable[[], nn.Module], shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """Builds a factory's network with tensors of given shapes, at most as long as its own on every axis.

    At the factory's own shapes the result is what the factory makes, bit for bit. A tensor that is made with its values
    (`nn.Parameter(torch.ones(width))`) keeps the first of them. Values that a constructor computes from its own
    arguments, such as a standard deviation of 1 / sqrt(width), are those of the factory's widths.

    Args:
        factory: makes the same layers in the same order each time; called twice.
        shapes: tensor name -> shape; unknown names are ignored.

    Raises:
        ValueError: the second call makes other layers than the first, or a tensor cannot have its shape.
    """
    shrinking = _Shrinking(_registrations(factory), shapes)
    with _at_registration(shrinking):
        model = factory()
    for name, each in model.state_dict().items():
        if each.shape != shapes.get(name, each.shape):
            shrinking.problems.append(f"{name}: replaced after registration; its shape cannot be chosen")
    if shrinking.problems:
        raise ValueError(shrinking.problems[0])  # the others may follow from it
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registration:
    """A registration: the class of a layer, its name for a tensor, and the tensor's name in the network.

    The last is empty where the layer is not part of the finished network.
    """

    layer: type[nn.Module]
    attribute: str
    name: str


class _Shrinking:
    """Gives the tensors of a network their requested shapes as they are registered, in order of registration.

    Attributes:
        problems: Errors. They are not raised here, since the running factory might catch them as its own.
    """

    def __init__(self, registrations: Sequence[_Registration], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.problems: list[str] = []
        self._made: dict[int, tuple[Tensor, Tensor]] = {}  # a tensor and its part, for layers that share it
        self._registrations, self._shapes = iter(registrations), shapes

    def __call__(self, module: nn.Module, attribute: str, tensor: Tensor) -> Tensor | None:
        """The smaller tensor; None if the tensor stays as it is."""
        expected = next(self._registrations, None)
        layer = _layer_class(module)
        if expected is None or (expected.layer, expected.attribute) != (layer, attribute):
            self.problems.append(
                f"{layer.__name__}.{attribute}: not registered by the first call of the factory; both "
                "calls must make the same layers in the same order"
            )
            return None
        shape = self._shapes.get(expected.name, tuple(tensor.shape))
        if tensor.shape == shape:
            return None
        if tensor.ndim != len(shape) or any(wanted > own for wanted, own in zip(shape, tensor.shape, strict=True)):
            self.problems.append(
                f"{expected.name}: shape {shape} was requested; at most its own {tuple(tensor.shape)} is allowed"
            )
            return None
        _, part = self._made.setdefault(id(tensor), (tensor, _leading(tensor, shape)))
        if isinstance(part, nn.Parameter):
            module._parameters[attribute] = part
        else:
            module._buffers[attribute] = part
        follow_shapes(module)
        return part


def _layer_class(module: nn.Module) -> type[nn.Module]:
    """The class of a module; of one that was given another as it was made, that of before."""
    given = (parametrize.__name__, headwise.__name__)
    return next(each for each in type(module).__mro__ if each.__module__ not in given)


def _leading(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor of the first entries of another one on every axis."""
    part = tensor.detach()[tuple(slice(length) for length in shape)].clone()
    return nn.Parameter(part, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else part


def _registrations(factory: Callable[[], nn.Module]) -> list[_Registration]:
    """The registrations of a factory, in order."""
    found: list[tuple[nn.Module, type[nn.Module], str]] = []  # holds the modules, so that no identity is used twice

    def note(module: nn.Module, name: str, _: Tensor) -> None:
        found.append((module, _layer_class(module), name))

    with torch.random.fork_rng(devices=[]), _at_registration(note):
        model = factory()
    paths = {id(module): f"{path}." if path else "" for path, module in model.named_modules()}
    return [
        _Registration(
            layer=layer,
            attribute=attribute,
            name=f"{paths[id(module)]}{attribute}" if id(module) in paths else "",
        )
        for module, layer, attribute in found
    ]


@contextmanager
def _at_registration(hook: _Hook) -> Iterator[None]:
    """Call a hook with every parameter and buffer that any module registers; its result is registered instead."""

    def unless_none(module: nn.Module, name: str, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else hook(module, name, tensor)

    handles = [
        register_module_parameter_registration_hook(unless_none),  # type: ignore[arg-type]  # may return a tensor:
        register_module_buffer_registration_hook(unless_none),  # type: ignore[arg-type]  # see torch's documentation
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
