"""Describes the processor of this machine and how torch uses it.

The last bits of a result depend on it, because sums are taken in another order, with more or fewer lanes at a time.
Where two descriptions are equal, so are the bits.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OVERRIDES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
"""Variables that make torch, or a library under it, not use some instructions of the processor."""

_CPUINFO = Path("/proc/cpuinfo")


def processor(
    device: torch.device, environment: Mapping[str, str] = os.environ, *, processes: int = 1
) -> dict[str, str]:
    """The processor that a stage has just used; a field of its manifest.

    Args:
        device: Where the stage computed.
        environment: Where overrides are looked for.
        processes: How many computed together.

    Returns:
        `cpu`: make and model. `instructions`: the set that torch's own kernels use. `threads`: of one operation. `gpu`:
        its model, where the stage used one. `processes`, where there were several. And those of `OVERRIDES` that are
        set.
    """
    import torch

    found = {
        "cpu": cpu_model(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        **{name: environment[name] for name in OVERRIDES if name in environment},
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    if processes > 1:
        found["processes"] = str(processes)
    return found


@cache
def cpu_model() -> str:
    """Make and model of this machine's processor, as far as the system reports it."""
    try:
        described = described_by(_CPUINFO.read_text())
    except OSError:
        described = ""
    return described or platform.processor() or platform.machine()


def described_by(cpuinfo: str) -> str:
    """The first processor of a Linux `/proc/cpuinfo`; empty where it names none.

    A virtual machine may call all of a maker's processors by one name, so its family and model numbers are added.
    """
    first = cpuinfo.partition("\n\n")[0].splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first)}
    if "model name" not in fields:
        return ""
    numbers = [fields[name] for name in ("cpu family", "model") if name in fields]
    return f"{fields['model name']} ({'/'.join(numbers)})" if numbers else fields["model name"]
