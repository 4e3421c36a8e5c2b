"""Runs a copy of a network to count what it does: without arithmetic where that is possible."""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.channels import dtype_of, example_images

_Counter = TypeVar("_Counter", bound=AbstractContextManager[object])


def run_counted(
    model: nn.Module,
    input_shape: Sequence[int],
    make_counter: Callable[[Float[Tensor, "n ..."]], _Counter],
    *,
    batch_size: int = 1,
    purpose: str,
) -> _Counter:
    """Runs a copy of a network in evaluation mode, on the meta device or else on the CPU.

    On meta tensors nothing is computed. A network whose work depends on the numbers in the image, such as a detector
    with proposals, raises there; it is run on a fixed image of noise (`channels.example_images`).

    Args:
        model: From a batch of samples to anything; it is not changed.
        input_shape: Shape of one sample, without the batch dimension.
        make_counter: Makes, from the batch, what counts while it is entered.
        batch_size: Samples in the batch.
        purpose: Name of the count, for the error.

    Returns:
        The counter of the pass.

    Raises:
        BadInputError: The network cannot be run on such images.
    """
    blank = torch.empty(batch_size, *input_shape, device="meta", dtype=dtype_of(model))
    try:
        return _run(model, blank, make_counter)
    except (RuntimeError, ValueError) as error:
        on_meta = error
    try:
        return _run(model, example_images(model, input_shape, batch_size), make_counter)
    except (RuntimeError, ValueError) as error:
        raise BadInputError(
            f"{purpose}: the network cannot be run on {batch_size} sample(s) of shape {tuple(input_shape)}: {error} "
            f"(on the meta device: {on_meta}); check the shape"
        ) from error


def _run(model: nn.Module, images: Tensor, make_counter: Callable[[Tensor], _Counter]) -> _Counter:
    shadow = copy.deepcopy(model).to(images.device).eval()
    counter = make_counter(images)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), counter:
        shadow(images)
    return counter
