"""Where in a forward pass the channels of a group can be seen, and a way to look at them there.

A layer's channels are seen behind the layer, or behind the batch norm and the activation that follow it directly:
where its feature maps are what the next layers get. Refuses to know what is looked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from jobs.errors import BadInputError
from workers.channels import AxisLayout, ChannelMap
from workers.observations.calls import RecordedCall, Visit, follower, record, visiting

_CHANNEL_AXIS = {
    "linear": -1,
    "index_select": 1,
    **{f"conv{kind}{dimensions}d": 1 for kind in ("", "_transpose") for dimensions in (1, 2, 3)},
}
"""The calls that make channels, and the axis of their results that holds them."""

_NORMS = frozenset({"batch_norm"})
_ACTIVATIONS = frozenset(
    (
        *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardtanh"),
        *("hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus", "softsign", "clamp", "clamp_min"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WatchPoint:
    """A place where the channels of one layer are seen; two are the same only if they are one object.

    Attributes:
        layer: Dotted path of the layer that produces them.
        call: Number of the call of a torch function whose result shows them, in order of execution.
        axis: The axis of that result that holds them.
        layout: Which units they are.
    """

    layer: str
    call: int
    axis: int
    layout: AxisLayout


See: TypeAlias = Callable[[WatchPoint, Float[Tensor, "n c *space"]], Float[Tensor, "n c *space"]]
"""Looks at the feature maps at a point, and returns what the network goes on with."""


def find_points(module: nn.Module, channel_map: ChannelMap, image: Float[Tensor, "1 c h w"]) -> list[WatchPoint]:
    """The points of all layers that produce units.

    Args:
        module: In evaluation mode; runs once.
        channel_map: Its channel groups.
        image: An image for it to run on.

    Raises:
        BadInputError: A group cannot be seen: none of its layers is called with its own weight.
    """
    calls = record(module, image)
    points = []
    tensors = module.state_dict(keep_vars=True)
    for layer in dict.fromkeys(layer for group in channel_map.groups for layer in group.layers):
        name = f"{layer}.weight" if f"{layer}.weight" in tensors else layer
        for number, call in enumerate(calls):
            if call.name in _CHANNEL_AXIS and id(tensors[name]) in call.inputs:
                axis = _CHANNEL_AXIS[call.name]
                call_number = _last_of_chain(calls, number)
                points.append(WatchPoint(layer=layer, call=call_number, axis=axis, layout=_output(channel_map, name)))
    seen = {index for point in points for index in point.layout.present()}
    for index, group in enumerate(channel_map.groups):
        if index not in seen:
            raise BadInputError(
                f"the feature maps of group {group.name} cannot be seen: none of {', '.join(group.layers)} runs with "
                "its weight as it is; use a criterion that looks at weights alone, such as l1"
            )
    return points


def watching(points: Iterable[WatchPoint], see: See) -> TorchFunctionMode:
    """A context for *one* forward pass, in which `see` is called at every point.

    Args:
        points: What `find_points` found for this network.
        see: Gets the point and its feature maps, channels on axis 1, and returns what the network goes on with.
    """

    def visit(point: WatchPoint) -> Visit:
        return lambda args, kwargs, result: see(point, result.movedim(point.axis, 1)).movedim(1, point.axis)

    return visiting({point.call: visit(point) for point in points})


def _output(channel_map: ChannelMap, name: str) -> AxisLayout:
    """The axis of a weight that makes channels; of a transposed convolution it is the second one."""
    return next(layout for layout in channel_map.tensors[name] if layout.role == "output" and layout.labelled)


def _last_of_chain(calls: Sequence[RecordedCall], start: int) -> int:
    last = start
    for names in (_NORMS, _ACTIVATIONS):
        reader = follower(calls, last)
        if reader is not None and calls[reader].name in names:
            last = reader
    return last
