"""Runs a copy of a network to count what it does: without arithmetic where that is possible."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

from jobs.errors import BadInputError
from workers.channels import dtype_of, example_inputs, without_fast_attention
from workers.inputs import Inputs, InputsLike, as_spec, call, tensors_of

_Counter = TypeVar("_Counter", bound=AbstractContextManager[object])

_FAULTS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError)
"""What a network raises for inputs that it is not made for."""


def run_counted(
    model: nn.Module,
    inputs: InputsLike,
    make_counter: Callable[[nn.Module, Inputs], _Counter],
    *,
    batch_size: int = 1,
    purpose: str,
) -> _Counter:
    """Runs a copy of a network in evaluation mode, on the meta device or else on the CPU.

    On meta tensors nothing is computed. A network whose work depends on the numbers in the image, such as a detector
    with proposals, raises there; it is run on a fixed sample of noise (`channels.example_inputs`).

    Args:
        model: From a batch of samples to anything; it is not changed.
        inputs: What it takes.
        make_counter: Makes, from the copy and the batch, what counts while it is entered.
        batch_size: Samples in the batch.
        purpose: Name of the count, for the error.

    Returns:
        The counter of the pass.

    Raises:
        BadInputError: The network cannot be run on such inputs.
    """
    spec = as_spec(inputs)
    try:
        return _run(model, spec.blank(batch_size, dtype_of(model)), make_counter)
    except _FAULTS as error:
        on_meta = error
    try:
        return _run(model, example_inputs(model, spec, batch_size), make_counter)
    except torch.OutOfMemoryError:
        raise
    except _FAULTS as error:
        also = "" if str(on_meta) == str(error) else f" (on the meta device: {on_meta})"
        raise BadInputError(
            f"{purpose}: the network cannot be run on {batch_size} sample(s) of {spec}: {error}{also}; these are the "
            "data's, or `inputs` in the sweep file says so: give the network arguments that fit (in_channels, ...), or "
            "mend its forward or the data"
        ) from error


def _run(model: nn.Module, inputs: Inputs, make_counter: Callable[[nn.Module, Inputs], _Counter]) -> _Counter:
    shadow = copy.deepcopy(model).to(tensors_of(inputs)[0].device).eval()
    counter = make_counter(shadow, inputs)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), without_fast_attention(), counter:
        call(shadow, inputs)
    return counter
