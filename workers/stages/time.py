"""Stage `time`: forward passes of a network and of the dense one, in turn, in every runtime that was asked for."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median, quantiles

import torch
from torch import nn

from jobs.spec.execution import Precision
from jobs.spec.measure import Runtime
from jobs.stages.finishing import TimedNetwork, TimeParams
from workers.artifacts import GRAPH_FILE, QUANTIZED_FILE, TIMES_FILE
from workers.channels import dtype_of
from workers.inputs import Inputs, map_inputs, to_device
from workers.measure import size_bytes
from workers.measure.runtimes import (
    grown_memory_bytes,
    mean_power_w,
    onnx_pass,
    threads_of,
    time_in_turn,
    torch_pass,
)
from workers.stages._base import Context, Product

_DENSE, _OWN, _INT8 = "dense", "own", "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """Times of forward passes of one network, beside those of the dense one.

    Attributes:
        p50_s: Median of all passes, in seconds.
        p90_s: 90th percentile.
        p99_s: 99th percentile.
        mean_s: Mean.
        speedup: Median over the blocks of the dense network's median time over this one's.
        speedup_spread: Range between the quartiles of that.
        blocks: All times in seconds, by block.
        dense_blocks: Those of the dense network.
    """

    p50_s: float
    p90_s: float
    p99_s: float
    mean_s: float
    speedup: float
    speedup_spread: float
    blocks: Sequence[Sequence[float]]
    dense_blocks: Sequence[Sequence[float]]


def run(context: Context[TimeParams]) -> Product:
    """Time the network.

    Times, each for the variant `RUNTIME/bBATCH` (`onnxruntime/b1`; in 8 bits `onnxruntime-int8/b1`): `latency_p50_s`,
    `latency_p90_s`, `speedup_measured` and `speedup_spread`; in `eager` `peak_memory_measured_bytes`, and on a GPU
    `energy_j` of a pass, where they can be measured. Its file has all passes.

    Raises:
        BadInputError: A runtime is not to be had here.
    """
    spec = context.params.latency
    timings: dict[str, float] = {}
    records: dict[str, object] = {}
    with threads_of(spec.threads) as threads:
        for runtime in spec.runtime:
            for batch_size in spec.batch_size:
                found, further = _measure(context, runtime, batch_size, threads)
                for name, times in found.items():
                    variant = f"{_runtime_name(context, runtime, name)}/b{batch_size}"
                    records[variant] = asdict(times)
                    timings |= {
                        f"latency_p50_s/{variant}": times.p50_s,
                        f"latency_p90_s/{variant}": times.p90_s,
                        f"speedup_measured/{variant}": times.speedup,
                        f"speedup_spread/{variant}": times.speedup_spread,
                    }
                own = f"{_runtime_name(context, runtime, _OWN)}/b{batch_size}"
                timings |= {f"{name}/{own}": value for name, value in further.items()}
    on_gpu = context.device.type == "cuda"
    machine = {"device": torch.cuda.get_device_name(context.device) if on_gpu else "cpu", "threads": threads}
    return Product(
        measurements={"variants": list(records)},
        files={TIMES_FILE: json.dumps({**machine, "times": records}).encode()},
        timings=timings,
    )


def _runtime_name(context: Context[TimeParams], runtime: Runtime, name: str) -> str:
    dtype = context.params.latency.dtype
    return f"{runtime}-int8" if name == _INT8 else runtime if dtype == "float32" else f"{runtime}-{dtype}"


def _measure(
    context: Context[TimeParams], runtime: Runtime, batch_size: int, threads: int
) -> tuple[dict[str, PassTimes], dict[str, float]]:
    """The times by network, the dense one excepted; and what else a pass takes of the network itself."""
    spec, timed = context.params.latency, context.params.timed
    network = context.network(timed.network)
    drawn = to_device(network.recipe.inputs.draw(batch_size, context.generator("images")), context.device)
    networks, modules = {_DENSE: context.params.dense, _OWN: timed}, dict[str, nn.Module]()
    if runtime == "onnxruntime":
        passes = {name: onnx_pass(_graph(context, each), drawn, threads=threads) for name, each in networks.items()}
        if timed.quantized is not None:
            content = context.artifacts.read(timed.quantized, QUANTIZED_FILE)
            passes[_INT8] = onnx_pass(content, drawn, threads=threads)
    else:
        built = {name: context.network(each.network).module(context.device) for name, each in networks.items()}
        modules = {name: _in_type(module, spec.dtype) for name, module in built.items()}
        passes = {
            name: torch_pass(module, _of_type(drawn, dtype_of(module)), runtime) for name, module in modules.items()
        }
    times = time_in_turn(
        passes, warmup=spec.warmup, repeats=spec.repeats, device=context.device, should_stop=context.should_stop
    )
    found = {name: _compare(blocks, times[_DENSE]) for name, blocks in times.items() if name != _DENSE}
    further: dict[str, float] = {}
    if runtime == "eager":
        grown = grown_memory_bytes(passes[_OWN], context.device)
        if grown is not None:
            further["peak_memory_measured_bytes"] = size_bytes(modules[_OWN].state_dict()) + grown
        watts = mean_power_w(passes[_OWN], context.device)
        if watts is not None:
            further["energy_j"] = watts * found[_OWN].mean_s
    if runtime == "compile":
        torch.compiler.reset()
    return found, further


def _in_type(module: nn.Module, dtype: Precision) -> nn.Module:
    """A network in half precision; in `float32` as it is, which some are not in all of their layers."""
    return module if dtype == "float32" else module.to(getattr(torch, dtype))


def _of_type(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return map_inputs(lambda each: each.to(dtype) if each.is_floating_point() else each, inputs)


def _graph(context: Context[TimeParams], timed: TimedNetwork) -> bytes:
    if timed.graph is None:
        raise ValueError(f"{context.task.label}: ONNX Runtime is to be timed, and no graph is among the inputs")
    return context.artifacts.read(timed.graph, GRAPH_FILE)


def _compare(blocks: Sequence[Sequence[float]], dense_blocks: Sequence[Sequence[float]]) -> PassTimes:
    times = sorted(second for block in blocks for second in block)
    ratios = [median(dense) / median(own) for dense, own in zip(dense_blocks, blocks, strict=True)]
    lower, _, upper = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else (ratios[0],) * 3
    return PassTimes(
        p50_s=median(times),
        p90_s=_percentile(times, 0.9),
        p99_s=_percentile(times, 0.99),
        mean_s=fmean(times),
        speedup=median(ratios),
        speedup_spread=upper - lower,
        blocks=blocks,
        dense_blocks=dense_blocks,
    )


def _percentile(ascending: Sequence[float], fraction: float) -> float:
    """The percentile by nearest rank."""
    return ascending[max(math.ceil(fraction * len(ascending)) - 1, 0)]
