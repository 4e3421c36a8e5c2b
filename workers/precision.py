"""The precision that networks compute in, and the memory format of their images."""

from typing import Any

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError
from jobs.spec.precision import Precision
from workers.inputs import Inputs, call
from workers.nested import floats_of, map_tensors

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def compute_in_full() -> None:
    """Let `float32` mean float32 on GPUs, too: no TF32 in matrix products and convolutions, where torch allows it."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def check_precision(precision: Precision, device: torch.device | str) -> None:
    """Raise BadInputError if networks cannot compute in that precision there."""
    kind = torch.device(device).type
    if precision == "float16" and kind == "cpu":
        raise BadInputError(
            "precision float16 is for GPUs, whose kernels are quick in it, and this task runs on the CPU; "
            "set precision: bfloat16, which needs no scaled losses, or float32"
        )


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
        """The network's output for a batch of what it takes."""
        if self._channels_last:
            args = tuple(map(_channels_last, args))
            kwargs = {name: _channels_last(each) for name, each in kwargs.items()}
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
def precision_difference(network: nn.Module, precision: Precision, inputs: Inputs) -> float | None:
    """The largest difference of a network's outputs in a precision from those in float32, over the largest of these.

    Args:
        network: In evaluation mode.
        precision: The precision.
        inputs: A batch, on the network's device.

    Returns:
        None where they cannot be compared: of images with boxes, whose number is another one, or without any.
    """
    in_full = floats_of(call(network, inputs))
    found = floats_of(call(InPrecision(network, precision), inputs))
    if [each.shape for each in found] != [each.shape for each in in_full]:
        return None
    pairs = [(one, other) for one, other in zip(found, in_full, strict=True) if other.numel()]
    if not pairs:
        return None
    largest = max(float(other.abs().max()) for _, other in pairs)
    apart = max(float((one - other).abs().max()) for one, other in pairs)
    return apart / largest if largest else apart
