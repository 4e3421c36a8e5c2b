"""Runs a copy of a network to count what it does: without arithmetic where that is possible."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError

_Counter = TypeVar("_Counter", bound=AbstractContextManager[object])


def run_counted(
    what: str, model: nn.Module, images: Float[Tensor, "n ..."], make_counter: Callable[[], _Counter]
) -> _Counter:
    """Runs a copy of a network in evaluation mode, on the meta device or else on the CPU.

    On meta tensors nothing is computed. A network whose work depends on numbers raises there, and is run on the CPU.

    Args:
        what: who counts, for the error.
        model: it is not changed.
        images: a batch of samples, on the CPU.
        make_counter: makes what counts while it is entered.

    Returns:
        The counter of the pass.

    Raises:
        BadInputError: The network cannot be run on such images.
    """
    try:
        return _run(model, images.to("meta"), make_counter())
    except (RuntimeError, ValueError) as error:
        on_meta = error
    try:
        return _run(model, images, make_counter())
    except (RuntimeError, ValueError) as error:
        few = "one sample" if len(images) == 1 else f"{len(images)} samples"
        raise BadInputError(
            f"{what}: the network cannot be run on {few} of shape {tuple(images.shape[1:])} on the CPU ({error}), nor "
            f"on the meta device ({on_meta}); check the shape, and that the network makes its tensors on its input's "
            "device"
        ) from error


def _run(model: nn.Module, images: Tensor, counter: _Counter) -> _Counter:
    shadow = copy.deepcopy(model).to(images.device).eval()
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), counter:
        shadow(images)
    return counter
