"""How networks are run: what they compute in, their memory format, compiled or not. Their weights stay their own."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError
from jobs.spec.execution import CompileMode, Execution, Precision
from workers.inputs import Inputs, call
from workers.nested import floats_of, map_tensors

_VIEWED = "view size is not compatible with input tensor's size and stride"
"""torch's message where a tensor's memory format does not allow a view."""

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def compute_in_full() -> None:
    """Let `float32` mean float32 on GPUs, too: no TF32 in matrix products and convolutions, where torch allows it."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def check_execution(how: Execution, device: torch.device | str) -> None:
    """Raise BadInputError if networks cannot run like that there."""
    on_cpu = torch.device(device).type == "cpu"
    if how.precision == "float16" and on_cpu:
        raise BadInputError(
            "precision float16 is for GPUs, whose kernels are quick in it, and this task runs on the CPU; "
            "set precision: bfloat16, which needs no scaled losses, or float32"
        )
    if how.compile:
        check_compiler(device)


def check_compiler(device: torch.device | str) -> None:
    """Raise BadInputError if torch cannot compile networks for that device here."""
    if torch.device(device).type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX") or "g++", "clang++"))):
        raise BadInputError(
            "`compile` needs a C++ compiler on the CPU; install g++ on the workers, or leave `compile` out"
        )


def compiled(network: nn.Module, mode: CompileMode | None = None) -> nn.Module:
    """A network, compiled for every shape apart; what was compiled before is forgotten.

    So no kernel depends on which shape came first: a training that goes on from a checkpoint begins with another one.
    Torch keeps code for eight networks of a class, and would run any further one as it is, without a word.
    """
    torch.compiler.reset()
    found: Callable[..., object] = torch.compile(network, mode=mode, dynamic=False)
    return cast("nn.Module", found)  # of a module it is one


def running(network: nn.Module, how: Execution) -> nn.Module:
    """What to call in the place of a network; it shares the network's modules, tensors and modes."""
    runner = network
    if how.compile:
        runner = compiled(network, how.compile if isinstance(how.compile, str) else None)
    return _in_precision(runner, how)


def running_teacher(network: nn.Module, how: Execution) -> nn.Module:
    """What to call in the place of a dense network that others learn from: as they run, but not compiled.

    Its weights get the memory format of the others and keep it.
    """
    if how.channels_last:
        _set_format(network, torch.channels_last)
    return _in_precision(network, how)


def _in_precision(runner: nn.Module, how: Execution) -> nn.Module:
    if how.precision == "float32" and not how.channels_last:
        return runner
    return InPrecision(runner, how.precision, channels_last=how.channels_last)


@contextmanager
def in_memory_format(network: nn.Module, how: Execution) -> Iterator[None]:
    """The weights of convolutions in the memory format that they are to run in, and at the end in the usual one."""
    if not how.channels_last:
        yield
        return
    _set_format(network, torch.channels_last)
    try:
        yield
    finally:
        _set_format(network, torch.contiguous_format)


def _set_format(network: nn.Module, memory_format: torch.memory_format) -> None:
    """In place, also of shared parameters; nothing else refers to another tensor afterwards."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory_format)


class InPrecision(nn.Module):
    """A network that computes in a precision, by torch's autocast; its weights are as they are.

    Args:
        network: The network, which is shared, not copied.
        precision: What it computes in; outputs in half precision are returned in single.
        channels_last: Whether inputs of four axes get the channels as the innermost one in memory.
    """

    def __init__(self, network: nn.Module, precision: Precision, *, channels_last: bool = False) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self._precision, self._channels_last = precision, channels_last

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """The network's output for a batch of what it takes.

        Raises:
            BadInputError: The network does not allow the memory format.
        """
        if not self._channels_last:
            return self._run(*args, **kwargs)
        try:
            return self._run(
                *map(_channels_last, args), **{name: _channels_last(each) for name, each in kwargs.items()}
            )
        except RuntimeError as error:
            if _VIEWED not in str(error):
                raise
            raise BadInputError(
                "the network changes shapes by `view`, which the memory format of channels_last does not allow; "
                "use `reshape` or `flatten` in its code, or leave channels_last out"
            ) from error

    def _run(self, *args: Tensor, **kwargs: Tensor) -> Any:
        if self._precision == "float32":
            return self.network(*args, **kwargs)
        with torch.autocast((*args, *kwargs.values())[0].device.type, _HALF[self._precision]):
            outputs = self.network(*args, **kwargs)
        return map_tensors(_single, outputs)


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in _HALF.values() else tensor


@torch.inference_mode()
def largest_difference(runner: nn.Module, network: nn.Module, inputs: Inputs) -> float | None:
    """The largest difference of outputs from those of a network, over the largest of these.

    Args:
        runner: What runs in the place of the network, in evaluation mode.
        network: The network, in evaluation mode.
        inputs: A batch, on the network's device.

    Returns:
        None where they cannot be compared: of images with boxes, whose number is another one, or without any.
    """
    wanted = floats_of(call(network, inputs))
    found = floats_of(call(runner, inputs))
    if [each.shape for each in found] != [each.shape for each in wanted]:
        return None
    pairs = [(one, other) for one, other in zip(found, wanted, strict=True) if other.numel()]
    if not pairs:
        return None
    largest = max(float(other.abs().max()) for _, other in pairs)
    apart = max(float((one - other).abs().max()) for one, other in pairs)
    return apart / largest if largest else apart
