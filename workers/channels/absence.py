"""The network without some channels of a normalised group, computed by the whole network.

A mask of zeros is not what removal is where statistics are taken over channels: the zeros count. So removed channels of
such groups are *absent*: their numbers are NaN, which all operators hand on, sums of products leave out and statistics
do not see. What is left to compare with is the network that has only the other channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from workers.channels.layout import ChannelMap
from workers.channels.slicing import UnitNumbers, fill_removed, mask

_Handler: TypeAlias = Callable[..., Any]


def without(
    state: Mapping[str, Tensor], channel_map: ChannelMap, index: Mapping[str, UnitNumbers]
) -> dict[str, Tensor]:
    """As `mask`, but NaN, where types allow it, for what removed units of normalised groups own.

    Args:
        state: a `state_dict`; extra entries are passed through.
        channel_map: its map.
        index: numbers of the units that stay, by group name; a group that is not named stays whole.
    """
    normalised = {group.name for group in channel_map.groups if group.normalised}
    masked = mask(state, channel_map, {name: units for name, units in index.items() if name not in normalised})
    absent = {name: units for name, units in index.items() if name in normalised}
    return fill_removed(masked, channel_map, absent, lambda _, tensor: math.nan if tensor.is_floating_point() else 0)


@contextmanager
def leaving_out() -> Iterator[None]:
    """A context in which NaN means absent; for evaluation passes of networks with tensors of `without`."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator for a whole layer, which hides its statistics
    try:
        with _LeavingOut(), _NegatingFloats():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


class _LeavingOut(TorchDispatchMode):
    """Computes what `leaving_out` says, operator by operator."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # operators that consist of others
            parts = func.decompose(*args, **kwargs)
        if parts is not NotImplemented:
            return parts
        handler = _HANDLERS.get(_name(func))
        if handler is None or not any(each.isnan().any() for each in args if isinstance(each, Tensor)):
            return func(*args, **kwargs)
        return handler(func, *args, **kwargs)


class _NegatingFloats(TorchFunctionMode):
    """Lets `~` take the floats that stand for truth where channels are absent; torch refuses them in Python."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__invert__ and args[0].is_floating_point():
            func = torch.logical_not
        return func(*args, **(kwargs or {}))


def _name(func: Any) -> str:
    return str(func._schema.name).removeprefix("aten::")


def _there(tensor: Tensor) -> Tensor:
    return (~tensor.isnan()).to(tensor.dtype)


def _zeros_for_absent(tensor: Tensor) -> Tensor:
    return tensor.masked_fill(tensor.isnan(), 0)


def _product(multiply: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """A sum of products over what is there, and where none of the products that it consists of is."""
    present = multiply(_there(left), _there(right)).round()
    possible = multiply(torch.ones_like(left), torch.ones_like(right)).round()
    return multiply(_zeros_for_absent(left), _zeros_for_absent(right)), (present == 0) & (possible > 0)


def _matrix_product(func: Any, left: Tensor, right: Tensor) -> Tensor:
    result, absent = _product(func, left, right)
    return result.masked_fill(absent, math.nan)


def _added_product(func: Any, start: Tensor, left: Tensor, right: Tensor, **factors: Any) -> Tensor:
    _, absent = _product(torch.matmul, left, right)
    result: Tensor = func(start, _zeros_for_absent(left), _zeros_for_absent(right), **factors)
    return result.masked_fill(absent, math.nan)


def _convolution(func: Any, source: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    result, absent = _product(lambda left, right: func(left, right, None, *rest), source, weight)
    if bias is not None:
        result = result + bias.view(1, -1, *[1] * (result.ndim - 2))
    return result.masked_fill(absent, math.nan)


def _attention(func: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any) -> Any:
    result, *more = func(*(_zeros_for_absent(each) for each in (query, key, value)), *rest, **options)
    return (result.masked_fill(value.isnan().all(-2, keepdim=True), math.nan), *more)


def _statistic(func: Any, source: Tensor, *args: Any, **kwargs: Any) -> Any:
    """A reduction over what is there; NaN where nothing is."""
    given = {argument.name: value for argument, value in zip(func._schema.arguments[1:], args, strict=False)} | kwargs
    dims, keep = given.get("dim"), bool(given.get("keepdim", False))
    dims = [dims] if isinstance(dims, int) else list(dims or range(source.ndim))
    count = _there(source).sum(dims, keepdim=True)
    name = _name(func)
    if name in _MOMENTS:
        results = _moments(source, dims, count, _correction(given))
        chosen = [results[each] for each in _MOMENTS[name]]
        result = tuple(each if keep else _dropped(each, dims) for each in chosen)
        return result if len(result) > 1 else result[0]
    filled = func(source.masked_fill(source.isnan(), _FILLERS.get(name, 0)), *args, **kwargs)
    absent = (count if keep else _dropped(count, dims)) == 0
    if isinstance(filled, Tensor):
        return filled.masked_fill(absent, math.nan)
    return (filled[0].masked_fill(absent, math.nan), *filled[1:])


_MOMENTS = {
    "mean": ("mean",),
    "var": ("var",),
    "std": ("std",),
    "var_mean": ("var", "mean"),
    "std_mean": ("std", "mean"),
}
_FILLERS = {"amax": -math.inf, "max": -math.inf, "logsumexp": -math.inf, "amin": math.inf, "min": math.inf}
"""What does not change a statistic; 0 for all others."""


def _dropped(tensor: Tensor, dims: list[int]) -> Tensor:
    return tensor.amax(dims) if dims else tensor


def _correction(given: Mapping[str, Any]) -> float:
    return 1.0 if given.get("correction") is None else float(given["correction"])


def _moments(source: Tensor, dims: list[int], count: Tensor, correction: float) -> dict[str, Tensor]:
    """Mean, variance and its root over what is there, reduced axes kept; NaN where nothing is there."""
    mean = _zeros_for_absent(source).sum(dims, keepdim=True) / count
    squares = _zeros_for_absent((source - mean).square()).sum(dims, keepdim=True)
    var = squares / (count - correction)
    return {"mean": mean, "var": var, "std": var.sqrt()}


def _layer_norm(
    func: Any, source: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    dims = list(range(source.ndim - len(shape), source.ndim))
    found = _moments(source, dims, _there(source).sum(dims, keepdim=True), 0.0)
    scale = (found["var"] + eps).rsqrt()
    return _affine((source - found["mean"]) * scale, weight, bias), found["mean"], scale


def _batch_norm(
    func: Any, source: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any
) -> tuple[Tensor, Tensor, Tensor]:
    *_, training, _, eps = rest
    if not training:
        result: tuple[Tensor, Tensor, Tensor] = func(source, weight, bias, *rest)
        return result
    dims = [0, *range(2, source.ndim)]
    found = _moments(source, dims, _there(source).sum(dims, keepdim=True), 0.0)
    scale = (found["var"] + eps).rsqrt()
    spread = [1, -1, *[1] * (source.ndim - 2)]
    weight, bias = (None if each is None else each.view(spread) for each in (weight, bias))
    return _affine((source - found["mean"]) * scale, weight, bias), found["mean"].flatten(), scale.flatten()


def _group_norm(
    func: Any,
    source: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    samples: int,
    channels: int,
    space: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    parts = source.reshape(samples, groups, -1)
    found = _moments(parts, [2], _there(parts).sum(2, keepdim=True), 0.0)
    scale = (found["var"] + eps).rsqrt()
    spread = [1, channels, *[1] * (source.ndim - 2)]
    weight, bias = (None if each is None else each.view(spread) for each in (weight, bias))
    result = ((parts - found["mean"]) * scale).reshape(source.shape)
    return _affine(result, weight, bias), found["mean"][..., 0], scale[..., 0]


def _rms_norm(
    func: Any, source: Tensor, shape: list[int], weight: Tensor | None, eps: float | None
) -> tuple[Tensor, Tensor]:
    dims = list(range(source.ndim - len(shape), source.ndim))
    squares = _zeros_for_absent(source.square()).sum(dims, keepdim=True) / _there(source).sum(dims, keepdim=True)
    scale = (squares + (torch.finfo(source.dtype).eps if eps is None else eps)).rsqrt()
    return _affine(source * scale, weight, None), scale


def _element_by_element(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A function that would not hand NaN on; what is true is 1 and what is false 0, since only floats can be NaN."""
    absent = reduce(torch.logical_or, (each.isnan() for each in args if isinstance(each, Tensor)))
    truths = _TRUTHS.get(_name(func), ())
    result: Tensor = func(*(each.bool() if place in truths else each for place, each in enumerate(args)), **kwargs)
    return (result if result.is_floating_point() else result.double()).masked_fill_(absent, math.nan)


_TRUTHS = {"where": (0,), "masked_fill": (1,), "masked_fill_": (1,), "bitwise_and": (0, 1), "bitwise_not": (0,)}
"""Which arguments have to be true or false."""


def _converted(func: Any, source: Tensor, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """A change of type; to one without NaN, that of the numbers alone."""
    if dtype is None or dtype.is_floating_point:
        result: Tensor = func(source, dtype=dtype, **options)
        return result
    plain: Tensor = func(_zeros_for_absent(source), dtype=dtype, **options)
    return plain.double().masked_fill_(source.isnan(), math.nan)


def _affine(tensor: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    tensor = tensor if weight is None else tensor * weight
    return tensor if bias is None else tensor + bias


_HANDLERS: Mapping[str, _Handler] = {
    **dict.fromkeys(("mm", "bmm"), _matrix_product),
    **dict.fromkeys(("addmm", "baddbmm"), _added_product),
    **dict.fromkeys(
        (
            *("mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "std_mean"),
            *("linalg_vector_norm", "norm", "logsumexp"),
        ),
        _statistic,
    ),
    **dict.fromkeys(
        (
            *("where", "masked_fill", "masked_fill_", "zeros_like", "ones_like", "sign"),
            *("gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_not"),
            *("bitwise_and", "bitwise_not"),
        ),
        _element_by_element,
    ),
    "_to_copy": _converted,
    "convolution": _convolution,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_fused_rms_norm": _rms_norm,
}
