"""Measures latency and energy of a forward pass on the present device.

It does not transfer to other devices, and other work on the same device disturbs it.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import nn

from jobs.errors import CancelledError
from workers.models.modes import in_mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Times of one forward pass of a batch, in seconds.

    Attributes:
        p50_s: Median.
        p90_s: 90th percentile.
        mean_s: Mean.
        energy_j: Joules per pass, by the power that the GPU reports; None if none is reported.
    """

    p50_s: float
    p90_s: float
    mean_s: float
    energy_j: float | None


def measure_latency(
    model: nn.Module,
    input_shape: Sequence[int],
    *,
    batch_size: int,
    warmup: int,
    repeats: int,
    device: torch.device,
    should_stop: Callable[[], bool],
) -> Latency:
    """Time forward passes in evaluation mode, one after the other, each until its result is ready.

    Args:
        model: Moved to `device`, where it stays; its flags are restored.
        input_shape: Shape of one sample.
        batch_size: Samples per pass.
        warmup: Passes before the measured ones.
        repeats: Measured passes, at least 1.
        device: Where to compute.
        should_stop: Asked before every pass.

    Raises:
        CancelledError: `should_stop` returned true.
    """
    model.to(device)
    dtype = next((each.dtype for each in model.parameters() if each.is_floating_point()), torch.get_default_dtype())
    images = torch.zeros(batch_size, *input_shape, device=device, dtype=dtype)
    times: list[float] = []
    watts: list[float] = []
    with in_mode(model, training=False), torch.inference_mode():
        for number in range(warmup + repeats):
            if should_stop():
                raise CancelledError(f"latency: stopped on request after {number} passes")
            started = time.perf_counter()
            model(images)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number >= warmup:
                times.append(time.perf_counter() - started)
                watts.extend(_power_w(device))
    times.sort()
    return Latency(
        p50_s=_percentile(times, 0.5),
        p90_s=_percentile(times, 0.9),
        mean_s=fmean(times),
        energy_j=fmean(watts) * fmean(times) if watts else None,
    )


def _percentile(ascending: Sequence[float], fraction: float) -> float:
    """The percentile by nearest rank."""
    return ascending[max(math.ceil(fraction * len(ascending)) - 1, 0)]


def _power_w(device: torch.device) -> list[float]:
    """Present power of the GPU in watts; empty without a GPU or the library that reads it."""
    if device.type != "cuda":
        return []
    try:
        return [torch.cuda.power_draw(device) / 1000]
    except (ImportError, ModuleNotFoundError, RuntimeError):
        return []
