"""How a model runs while it is trained: its precision, its memory format, compiled or not. Its weights stay its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.precision import InPrecision


def running(model: nn.Module, recipe: Recipe) -> nn.Module:
    """What to call in the place of a model; it shares the model's modules, tensors and modes."""
    runner = _compiled(model, recipe) if recipe.compile else model
    if recipe.precision == "float32" and not recipe.channels_last:
        return runner
    return InPrecision(runner, recipe.precision, channels_last=recipe.channels_last)


def running_teacher(network: nn.Module, recipe: Recipe) -> nn.Module:
    """What to call in the place of a dense network that others learn from: as they run, but not compiled.

    Its weights get the memory format of the recipe and keep it.
    """
    if recipe.channels_last:
        _set_format(network, torch.channels_last)
    return running(network, recipe.model_copy(update={"compile": False}))


def _compiled(model: nn.Module, recipe: Recipe) -> nn.Module:
    """The model, compiled for every shape apart.

    So no kernel depends on which shape came first: a training that goes on from a checkpoint begins with another one.
    """
    mode = recipe.compile if isinstance(recipe.compile, str) else None
    compiled: Callable[..., object] = torch.compile(model, mode=mode, dynamic=False)
    return cast("nn.Module", compiled)  # of a module it is one


@contextmanager
def in_memory_format(model: nn.Module, recipe: Recipe) -> Iterator[None]:
    """The weights of convolutions in the memory format of the recipe, and at the end in the usual one."""
    if not recipe.channels_last:
        yield
        return
    _set_format(model, torch.channels_last)
    try:
        yield
    finally:
        _set_format(model, torch.contiguous_format)


def _set_format(model: nn.Module, memory_format: torch.memory_format) -> None:
    """In place, also of shared parameters; nothing else refers to another tensor afterwards."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory_format)
