"""How long a forward pass takes on the device at hand, and what it draws there.

A measurement of this machine at this moment, no property of the network: it says nothing of other devices, and other
work on the same device goes into it.
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
        p50_s: Half of the passes took no longer.
        p90_s: Nine of ten took no longer.
        mean_s: On average.
        energy_j: Joules per pass, by the power that the GPU says it draws; None where nothing tells.
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
    """Time forward passes in evaluation mode, one after the other, each until its result is there.

    Args:
        model: Moved to `device`, where it stays; its flags are restored.
        input_shape: Shape of one sample.
        batch_size: Samples per pass.
        warmup: Passes before the first that counts.
        repeats: Passes that count, at least 1.
        device: Where to compute.
        should_stop: Asked before every pass.

    Raises:
        CancelledError: `should_stop` said so.
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
    """The smallest value that so many are not above (nearest rank)."""
    return ascending[max(math.ceil(fraction * len(ascending)) - 1, 0)]


def _power_w(device: torch.device) -> list[float]:
    """Watts that the GPU draws now; nothing where it, or the library that asks it, is not there."""
    if device.type != "cuda":
        return []
    try:
        return [torch.cuda.power_draw(device) / 1000]
    except (ImportError, ModuleNotFoundError, RuntimeError):
        return []
