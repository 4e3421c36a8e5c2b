"""The layers of a network that least squares can refit, and where in a forward pass their outputs are compared.

The output of a layer is compared after the batch norm that directly follows it, and after the sum with a shortcut that
follows: there a correction of the weights can also correct an error of the shortcut (He et al. 2017, section 3.3). In
evaluation mode a batch norm is a scale and a shift, so that outputs stay linear in the weights; a sum that scales what
it adds (`alpha`) is none of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workers.inputs import Inputs, num_samples
from workers.observations.calls import RecordedCall, follower, record

_LAYERS = frozenset({"conv2d", "linear"})

LARGEST = 8192
"""Maximum number of inputs per output: their products take half a gigabyte; a larger layer is not refitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A convolution or linear layer that is called once, with its own weight.

    Attributes:
        layer: Its dotted path.
        function: The function that it calls: `conv2d` or `linear`.
        call: Number of that call (see `observations.calls`).
        compared: Number of the call whose result is compared.
        norm: Dotted path of the batch norm between the two, if there is one.
    """

    layer: str
    function: str
    call: int
    compared: int
    norm: str | None

    @property
    def weight(self) -> str:
        """Name of the layer's weight."""
        return f"{self.layer}.weight"

    @property
    def axis(self) -> int:
        """The axis of the outputs that holds the channels."""
        return 1 if self.function == "conv2d" else -1


def find_sites(module: nn.Module, example: Inputs, *, on_images: bool = False) -> list[Site]:
    """The sites of a network, in order of execution.

    Left out are layers that run more than once or share their weight, those in three or in one dimension, transposed
    convolutions, weights outside of convolutions and linear layers, such as those inside of multi-head attention, and
    layers with more than `LARGEST` inputs.

    Args:
        module: In evaluation mode; runs once.
        example: A batch of one sample.
        on_images: Leave out layers, too, that do not run once for each image, such as those that judge a detector's
            boxes: a smaller network looks at other boxes.
    """
    calls = record(module, example)
    attention = [name for name, each in module.named_modules() if isinstance(each, nn.MultiheadAttention)]
    inside = tuple(f"{name}." for name in attention)
    owners = {id(tensor): name for name, tensor in module.state_dict(keep_vars=True).items()}
    uses = {tensor: [number for number, call in enumerate(calls) if tensor in call.inputs] for tensor in owners}
    sites = []
    for number, call in enumerate(calls):
        weights = [owners[tensor] for tensor in call.inputs if owners.get(tensor, "").endswith(".weight")]
        if call.name not in _LAYERS or len(weights) != 1 or weights[0].startswith(inside):
            continue
        weight = module.get_parameter(weights[0])
        if on_images and call.shape[0] != num_samples(example):
            continue
        if len(uses[id(weight)]) == 1 and weight[0].numel() <= LARGEST:
            norm, compared = _compared(module, calls, number, owners, uses)
            sites.append(
                Site(
                    layer=weights[0].removesuffix(".weight"),
                    function=call.name,
                    call=call.number,
                    compared=calls[compared].number,
                    norm=norm,
                )
            )
    return sites


def _compared(
    module: nn.Module,
    calls: Sequence[RecordedCall],
    number: int,
    owners: Mapping[int, str],
    uses: Mapping[int, list[int]],
) -> tuple[str | None, int]:
    """The norm after a call, if there is one, and the call whose result is compared."""
    norm, last = None, number
    reader = follower(calls, last)
    if reader is not None and calls[reader].name == "batch_norm":
        norm = _norm(module, calls[reader], owners, uses)
        if norm is None or not _channels_first(calls[number]):
            return None, number
        last, reader = reader, follower(calls, reader)
    if reader is not None and calls[reader].sums and calls[reader].shape == calls[number].shape:
        last = reader
    return norm, last


def _norm(
    module: nn.Module, call: RecordedCall, owners: Mapping[int, str], uses: Mapping[int, list[int]]
) -> str | None:
    """The plain batch norm of a call, if it makes no other one."""
    for tensor in call.inputs & owners.keys():
        name, _, own = owners[tensor].rpartition(".")
        if own == "running_mean" and len(uses[tensor]) == 1 and isinstance(module.get_submodule(name), _BatchNorm):
            return name
    return None


def _channels_first(call: RecordedCall) -> bool:
    """Whether a batch norm runs along the channels of the result."""
    return call.name == "conv2d" or len(call.shape) == 2
