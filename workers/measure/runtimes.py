"""Forward passes of networks in several runtimes, and their times, several networks in turn.

Times do not transfer to other devices, and other work on the same device disturbs them. So networks that are compared
are timed in one process, block after block in turn: what disturbs one disturbs the other.
"""

import ctypes
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

import torch
from torch import nn

from jobs.errors import CancelledError
from jobs.spec.measure import Runtime
from workers.execution import check_compiler, compiled
from workers.export.graph import arrays_for, open_session
from workers.inputs import Inputs, call, tensors_of

Pass: TypeAlias = Callable[[], object]
"""One forward pass; on a GPU it returns before it is done."""

BLOCKS = 10
"""Into how many blocks the passes of a network are split."""

_POWER_SAMPLES = 20


def torch_pass(model: nn.Module, inputs: Inputs, runtime: Runtime) -> Pass:
    """Forward passes by torch.

    On a GPU, `compile` replays the network as a CUDA graph, without the cost of launching its kernels.

    Args:
        model: In evaluation mode, on the device of the inputs.
        inputs: A batch.
        runtime: `eager` or `compile`.

    Raises:
        BadInputError: There is no compiler for `compile` here.
    """
    run = model
    if runtime == "compile":
        device = tensors_of(inputs)[0].device
        check_compiler(device)
        run = compiled(model, "reduce-overhead" if device.type == "cuda" else None)

    def one_pass() -> object:
        with torch.inference_mode():
            return call(run, inputs)

    return one_pass


def onnx_pass(content: bytes, inputs: Inputs, *, threads: int) -> Pass:
    """Forward passes by ONNX Runtime, whose outputs are on the CPU.

    Args:
        content: The graph.
        inputs: A batch, its fractions of single precision; its device is where the graph runs.
        threads: CPU threads of a pass.
    """
    session = open_session(content, threads=threads, device=tensors_of(inputs)[0].device)
    given = arrays_for(session, inputs)
    return lambda: session.run(None, given)


@contextmanager
def threads_of(count: int | None) -> Iterator[int]:
    """Lets torch have that many CPU threads; None: as many as it has. Yields their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def time_in_turn(
    passes: Mapping[str, Pass],
    *,
    warmup: int,
    repeats: int,
    device: torch.device,
    should_stop: Callable[[], bool],
) -> dict[str, list[list[float]]]:
    """Times of passes, each until its result is ready, the networks block after block in turn.

    Args:
        passes: Name -> pass of one network.
        warmup: Untimed passes of each network, before all others.
        repeats: Timed passes of each network, at least 1.
        device: Where they run.
        should_stop: Asked before every pass.

    Returns:
        Name -> times in seconds, by block.

    Raises:
        CancelledError: `should_stop` returned true.
    """

    def seconds(one_pass: Pass) -> float:
        if should_stop():
            raise CancelledError("timing: stopped on request")
        return _seconds(one_pass, device)

    for one_pass in passes.values():
        for _ in range(warmup):
            seconds(one_pass)
    times: dict[str, list[list[float]]] = {name: [] for name in passes}
    blocks = min(BLOCKS, repeats)
    for block in range(blocks):
        length = repeats // blocks + (block < repeats % blocks)
        for name, one_pass in passes.items():
            seconds(one_pass)  # untimed: its weights come back into the caches
            times[name].append([seconds(one_pass) for _ in range(length)])
    return times


def _seconds(one_pass: Pass, device: torch.device) -> float:
    if device.type != "cuda":
        started = time.perf_counter()
        one_pass()
        return time.perf_counter() - started
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    one_pass()
    end.record()
    torch.cuda.synchronize(device)
    return float(begin.elapsed_time(end)) / 1000


def mean_power_w(one_pass: Pass, device: torch.device) -> float | None:
    """Mean power of a GPU in watts during passes, by NVML; None without a GPU or the library that reads it."""
    if device.type != "cuda":
        return None
    watts = []
    try:
        for _ in range(_POWER_SAMPLES):
            one_pass()
            watts.append(torch.cuda.power_draw(device) / 1000)
            torch.cuda.synchronize(device)
    except (ImportError, ModuleNotFoundError, RuntimeError):
        return None
    return fmean(watts)


def grown_memory_bytes(one_pass: Pass, device: torch.device) -> int | None:
    """By how much memory grows at most during a pass: the device's on a GPU, this process's on the CPU.

    None where the operating system does not say it (other systems than Linux). On the CPU it is exact to some hundred
    kilobytes of what the system gave: other threads count, and what an allocator keeps though the pass freed it.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        one_pass()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what is free goes back to the system, so that its use is seen
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = _status_bytes("VmRSS")
        one_pass()
        return max(0, _status_bytes("VmHWM") - before)
    except (OSError, AttributeError):
        return None


def _status_bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"/proc/self/status has no {name}")
    return int(found[1]) * 1024
