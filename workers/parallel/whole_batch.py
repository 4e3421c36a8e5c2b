"""Batch norms that take the statistics of a whole batch, of which every process has a share.

As `torch.nn.SyncBatchNorm`, which knows GPUs only, and for every layer that calls `torch.nn.functional.batch_norm`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class WholeBatchNorm(TorchFunctionMode):
    """Within it, and in the backward passes of what was computed there, batch statistics are those of all processes."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replaces batch norms that are in training mode."""
        if function is functional.batch_norm:
            return _batch_norm(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))


def _batch_norm(
    batch: Float[Tensor, "n c ..."],
    running_mean: Float[Tensor, " c"] | None,
    running_var: Float[Tensor, " c"] | None,
    weight: Float[Tensor, " c"] | None = None,
    bias: Float[Tensor, " c"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "n c ..."]:
    """As `torch.nn.functional.batch_norm`."""
    if not training:
        return functional.batch_norm(batch, running_mean, running_var, weight, bias, False, momentum, eps)
    mean, variance, count = _statistics(batch.detach())
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (count / (count - 1))).to(running_var.dtype), momentum)
    scale = batch.new_ones(batch.shape[1], dtype=mean.dtype) if weight is None else weight
    shift = torch.zeros_like(scale) if bias is None else bias
    normalised: Tensor = _Normalise.apply(batch, scale, shift, mean, variance, count, eps)
    return normalised


def _statistics(
    batch: Float[Tensor, "n c ..."],
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"], Float[Tensor, ""]]:
    """Mean, variance and number of the values of every channel, in all processes.

    The mean comes first, so that no large sums are subtracted from one another.
    """
    values = _precise(batch)
    count = values.new_tensor([values.numel() // values.shape[1]])
    summed = torch.cat([values.sum(_others(values)), count])
    distributed.all_reduce(summed)
    count = summed[-1]
    mean = summed[:-1] / count
    squares = (values - _along(mean, values)).square().sum(_others(values))
    distributed.all_reduce(squares)
    return mean, squares / count, count


class _Normalise(torch.autograd.Function):
    """Normalises by given statistics of all processes; the backward pass knows that they depend on the batch.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, section 3, with means over all processes.
    """

    @staticmethod
    def forward(
        context: Any,
        batch: Float[Tensor, "n c ..."],
        scale: Float[Tensor, " c"],
        shift: Float[Tensor, " c"],
        mean: Float[Tensor, " c"],
        variance: Float[Tensor, " c"],
        count: Float[Tensor, ""],
        eps: float,
    ) -> Float[Tensor, "n c ..."]:
        """(batch - mean) / sqrt(variance + eps) * scale + shift."""
        context.save_for_backward(batch, scale, mean, (variance + eps).rsqrt(), count)
        return functional.batch_norm(batch, mean, variance, scale, shift, eps=eps)

    @staticmethod
    def backward(context: Any, *gradients: Float[Tensor, "n c ..."]) -> tuple[Tensor | None, ...]:
        """With respect to the batch, of the losses of all processes; to scale and shift, of this one's."""
        batch, scale, mean, inverse, count = context.saved_tensors
        (gradient,) = map(_precise, gradients)
        normalised = (_precise(batch) - _along(mean, batch)) * _along(inverse, batch)
        others = _others(batch)
        own = torch.stack([(gradient * normalised).sum(others), gradient.sum(others)])
        total = own.clone()
        distributed.all_reduce(total)
        with_scale, with_shift = total / count
        centred = gradient - _along(with_shift, batch) - normalised * _along(with_scale, batch)
        towards_batch = centred * _along(inverse * scale, batch)
        return towards_batch.to(batch.dtype), own[0].to(scale.dtype), own[1].to(scale.dtype), None, None, None, None


def _others(batch: Tensor) -> list[int]:
    """All axes but that of the channels."""
    return [axis for axis in range(batch.ndim) if axis != 1]


def _along(channels: Float[Tensor, " c"], batch: Tensor) -> Tensor:
    return channels.view(1, -1, *[1] * (batch.ndim - 2))


def _precise(values: Tensor) -> Tensor:
    """In single precision at least."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
