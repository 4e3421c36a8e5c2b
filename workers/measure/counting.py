"""Counts parameters, MACs (multiply-accumulates) and bytes of a network; needs only the shapes of its inputs."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from workers.channels import MacCounter
from workers.inputs import InputsLike
from workers.measure.running import run_counted

_NO_MASKS: Mapping[str, Tensor] = MappingProxyType({})


def num_parameters(model: nn.Module, masks: Mapping[str, Tensor] = _NO_MASKS) -> int:
    """Number of parameters: frozen ones included, shared ones once, buffers (batch-norm statistics) not.

    Args:
        model: The network.
        masks: Name of a parameter -> False for its entries that do not count.
    """
    return sum(parameter.numel() for parameter in model.parameters()) - sum(map(_num_absent, masks.values()))


def count_macs(model: nn.Module, inputs: InputsLike, masks: Mapping[str, Tensor] = _NO_MASKS) -> int:
    """MACs of one forward pass in evaluation mode.

    Convolutions, matrix products and attention count; bias, batch norm, activations and pooling do not. A copy
    runs on meta tensors, so no arithmetic is done and the model is not changed. A network whose work depends on the
    numbers in the image, such as a detector with proposals, cannot: it is counted on a fixed sample of noise
    (`channels.example_inputs`).

    Args:
        model: From a batch of samples to anything.
        inputs: What it takes; of an image (channels, height, width).
        masks: Name of a weight of a convolution or linear layer -> False for its entries that do not count: each is
            multiplied as often as any other of it.

    Raises:
        BadInputError: The network cannot be run on such a sample.
    """
    counter = _counted(model, inputs)
    saved = sum(counter.with_weight(name) * _num_absent(mask) // mask.numel() for name, mask in masks.items())
    return counter.total - saved


def count_applications(model: nn.Module, inputs: InputsLike) -> dict[str, int]:
    """How often one sample is multiplied by every number of a weight, by the weight's name.

    Times the numbers of a weight these are the MACs with it; counted as by `count_macs`, with its arguments and errors.
    """
    return {name: times for name, times in _counted(model, inputs).applications(1).items() if times}


def _counted(model: nn.Module, inputs: InputsLike) -> MacCounter:
    return run_counted(model, inputs, lambda network, _: MacCounter(network), purpose="count_macs")


def _num_absent(mask: Tensor) -> int:
    return mask.numel() - int(mask.sum())


def size_bytes(state: Mapping[str, Tensor]) -> int:
    """Bytes of a state's floating-point tensors in their own types: the size of a file without its header."""
    return sum(each.numel() * each.element_size() for each in state.values() if each.is_floating_point())
