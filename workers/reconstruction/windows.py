"""The inputs of a layer at some output positions, as rows.

A row is one output position of one image: the inputs that the layer multiplies by its weight there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import pad

_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_LINEAR = ("input", "weight", "bias")


def count_rows(outputs: Tensor, axis: int) -> int:
    """Number of rows of a result: its entries per channel."""
    return outputs.numel() // outputs.shape[axis]


def outputs_at(outputs: Tensor, axis: int, rows: Int64[Tensor, " n"]) -> Float[Tensor, "n channels"]:
    """The channels of a result at some rows.

    Args:
        outputs: Outputs of a layer, or of an operator that follows it.
        axis: 1 for feature maps, -1 for vectors.
        rows: Indices of rows, image by image and in each position by position.
    """
    if axis == -1:
        return outputs.flatten(0, -2)[rows]
    flat = outputs.flatten(2)
    return flat[rows // flat.shape[2], :, rows % flat.shape[2]]


def inputs_at(
    function: str, args: Sequence[Any], kwargs: Mapping[str, Any], rows: Int64[Tensor, " n"]
) -> Float[Tensor, "n blocks features"]:
    """The inputs that a call multiplies by its weight at some rows; features in the order of the weight's axes.

    Args:
        function: `conv2d` or `linear`.
        args: Arguments of the call.
        kwargs: Keyword arguments of the call.
        rows: As for `outputs_at`.

    Returns:
        A block for each of the convolution's groups; one for ordinary convolutions and for linear layers.
    """
    if function == "linear":
        given = {**dict(zip(_LINEAR, args, strict=False)), **kwargs}
        picked: Tensor = given["input"].flatten(0, -2)[rows]
        return picked.unsqueeze(1)
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    given |= {**dict(zip(_CONVOLUTION, args, strict=False)), **kwargs}
    height, width = given["weight"].shape[2:]
    stride, dilation = _pair(given["stride"]), _pair(given["dilation"])
    padded = pad(given["input"], _margins(given["padding"], (height, width), dilation))
    for side, size in enumerate((height, width)):
        padded = padded.unfold(2 + side, (size - 1) * dilation[side] + 1, stride[side])
    padded = padded[..., :: dilation[0], :: dilation[1]]  # images, channels, positions (2), window (2); a view
    columns = padded.shape[3]
    positions = padded.shape[2] * columns
    image, position = rows // positions, rows % positions
    windows: Tensor = padded[image, :, position // columns, position % columns]
    return windows.reshape(len(rows), given["groups"], -1)


def _margins(padding: Any, window: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int, int, int]:
    """Zeros to add left, right, above, below."""
    if padding == "same":
        vertical, horizontal = ((size - 1) * step for size, step in zip(window, dilation, strict=True))
        return horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2
    above, left = (0, 0) if padding == "valid" else _pair(padding)
    return left, left, above, above


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = tuple(value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
