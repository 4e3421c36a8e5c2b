"""Resource usage of an attempt: peak memory, and the peak share of its GPU.

Costs microseconds where no GPU is used.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from typing import TYPE_CHECKING

from jobs.outcome import Usage

if TYPE_CHECKING:
    import torch

_CLEAR_REFS = "/proc/self/clear_refs"
_RESET_PEAK = b"5"  # proc_pid_clear_refs(5): the peak becomes what is resident now
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, getrusage(2)


def start_measuring() -> None:
    """Forget the peak memory of earlier attempts; where the system refuses, peaks are those of the whole process."""
    with contextlib.suppress(OSError):
        file = os.open(_CLEAR_REFS, os.O_WRONLY)
        try:
            os.write(file, _RESET_PEAK)
        finally:
            os.close(file)


def start_measuring_gpu(device: torch.device) -> None:
    """The same for a GPU, which gets back what earlier attempts left cached."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)


def measured(device: torch.device | None) -> Usage:
    """Peaks since the start.

    Args:
        device: Where the attempt computed; None if it failed before.
    """
    memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    if device is None or device.type != "cuda":
        return Usage(memory_bytes=memory_bytes)
    import torch

    reserved = torch.cuda.max_memory_reserved(device)
    return Usage(
        memory_bytes=memory_bytes, gpu_fraction=reserved / torch.cuda.get_device_properties(device).total_memory
    )


def release_gpu(device: torch.device | None) -> None:
    """Give unused memory back to the GPU, which other workers may share."""
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.empty_cache()
