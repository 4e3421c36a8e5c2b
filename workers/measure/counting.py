"""What a network costs on paper: parameters, multiply-accumulates, bytes. Nothing is timed here.

Knows no data beyond the shape of one sample.
"""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from jobs.errors import BadInputError


def num_parameters(model: nn.Module) -> int:
    """How many numbers the parameters hold: frozen ones too, shared ones once, buffers (batch-norm statistics) not."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of one forward pass in evaluation mode.

    Convolutions, matrix products and attention count; bias, batch norm, activations and pooling do not. A copy
    runs on meta tensors, so no arithmetic is done and the model is not touched.

    Args:
        model: From a batch of samples to anything.
        input_shape: Shape of one sample, without the batch dimension: (channels, height, width) for images.

    Raises:
        BadInputError: The network cannot be run on a sample of that shape.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    dtype = next((each.dtype for each in shadow.parameters() if each.is_floating_point()), torch.get_default_dtype())
    counter = FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), counter:
            shadow(torch.empty(1, *input_shape, device="meta", dtype=dtype))
    except (RuntimeError, ValueError) as error:
        raise BadInputError(
            f"count_macs: the network cannot be run on one sample of shape {tuple(input_shape)} on the meta device "
            f"({error}); check the shape, and that the network makes its tensors on its input's device"
        ) from error
    return int(counter.get_total_flops()) // 2


def size_bytes(state: Mapping[str, Tensor]) -> int:
    """Bytes of a state's floating-point tensors in the types they have: a file of them, without its header."""
    return sum(each.numel() * each.element_size() for each in state.values() if each.is_floating_point())
