"""Watch points: where a forward pass has the feature maps of a group's channels, and hooks on them.

A layer's watch point is its output, or that of the batch norm and the activation that directly follow it: the feature
maps that the next layers read.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from jobs.errors import BadInputError
from workers.channels import AxisLayout, ChannelMap, weight_name
from workers.inputs import Inputs
from workers.observations.calls import RecordedCall, Visit, follower, record, visiting

_CHANNEL_AXIS = {
    "linear": -1,
    "embedding": -1,
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
    """A call whose result holds the feature maps of one layer; compared by identity.

    Attributes:
        layer: Dotted path of the layer that produces them.
        call: Number of the call of a torch function whose result holds them (see `calls`).
        axis: The axis of that result that holds them.
        layout: The units of its channels.
    """

    layer: str
    call: int
    axis: int
    layout: AxisLayout


PointHook: TypeAlias = Callable[[WatchPoint, Float[Tensor, "n c *space"]], Float[Tensor, "n c *space"]]
"""Hook: from the feature maps at a point to those that replace them."""


def find_points(module: nn.Module, channel_map: ChannelMap, example: Inputs) -> list[WatchPoint]:
    """The points of all layers that produce units.

    Args:
        module: In evaluation mode; runs once.
        channel_map: Its channel groups.
        example: A batch of one sample.

    Raises:
        BadInputError: A group has no watch point: none of its layers is called with its own weight.
    """
    calls = record(module, example)
    points = []
    tensors = module.state_dict(keep_vars=True)
    for layer in dict.fromkeys(layer for group in channel_map.groups for layer in group.layers):
        name = weight_name(layer, tensors)
        for index, call in enumerate(calls):
            if call.name in _CHANNEL_AXIS and id(tensors[name]) in call.inputs:
                axis, layout = _CHANNEL_AXIS[call.name], _output(channel_map, name)
                number = calls[_last_of_chain(calls, index)].number
                if layout is not None:
                    points.append(WatchPoint(layer=layer, call=number, axis=axis, layout=layout))
    watched = {index for point in points for index in point.layout.present()}
    for index, group in enumerate(channel_map.groups):
        if index not in watched:
            raise BadInputError(
                f"the feature maps of group {group.name} cannot be observed: none of {', '.join(group.layers)} is "
                "called with its own weight; use a criterion of weights alone, such as l1"
            )
    return points


def watching(points: Iterable[WatchPoint], hook: PointHook) -> TorchFunctionMode:
    """A context for *one* forward pass, in which `hook` is called at every point.

    Args:
        points: The result of `find_points` for this network.
        hook: From the point and its feature maps, channels on axis 1, to the maps that replace them.
    """

    def visit(point: WatchPoint) -> Visit:
        return lambda args, kwargs, result: hook(point, result.movedim(point.axis, 1)).movedim(1, point.axis)

    return visiting({point.call: visit(point) for point in points})


def _output(channel_map: ChannelMap, name: str) -> AxisLayout | None:
    """The axis of a weight that makes channels; of a transposed convolution the second one, of a tied table none."""
    made = (layout for layout in channel_map.tensors[name] if layout.role == "output" and layout.labelled)
    return next(made, None)


def _last_of_chain(calls: Sequence[RecordedCall], start: int) -> int:
    last = start
    for names in (_NORMS, _ACTIVATIONS):
        reader = follower(calls, last)
        if reader is not None and calls[reader].name in names:
            last = reader
    return last
