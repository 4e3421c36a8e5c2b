"""Measures the times of a network's layers on this machine, as functions of their widths.

Every layer is measured alone at several widths, less what a call costs that computes nothing, and its time is modelled
as a constant plus terms proportional to its MACs, its input size and its output size. The rest of the whole network's
time (norms, activations, sums) is distributed over the layers by their output sizes; where the layers alone take longer
than the network, which may fuse and overlap them, they are scaled to it.

Times differ between machines and from run to run. How good a prediction was, stage `time` measures.
"""

import copy
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.spec.measure import Runtime
from workers.channels import example_inputs
from workers.export.graph import write_onnx
from workers.inputs import Inputs, InputsLike, InputSpec, as_spec, call, tensors_of, to_device
from workers.measure.runtimes import Pass, onnx_pass, time_in_turn, torch_pass
from workers.models.modes import in_mode

Layer: TypeAlias = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d | nn.Linear
)
"""The measured layers: convolutions and linear ones."""

_FRACTIONS = ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.75, 0.75), (0.5, 0.5), (0.25, 0.25))
"""Fractions of the input and of the output channels."""

_WARM_UP, _REPEATS = 3, 15  # passes
_LEAST = 0.05  # of a layer's time: what is left of it less the overhead


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTime:
    """Seconds of one layer at its full width, in four terms; of all its calls in a pass.

    Attributes:
        fixed: Constant time.
        products: Proportional to the MACs.
        inputs: Proportional to the input channels; 0 for a layer in groups, where it is part of `outputs`.
        outputs: Proportional to the output channels.
    """

    fixed: float
    products: float
    inputs: float
    outputs: float

    @property
    def total(self) -> float:
        """Seconds at full width."""
        return self.fixed + self.products + self.inputs + self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTime:
    """The measured times of a network.

    Attributes:
        network_s: Seconds of a forward pass of the whole network, the median.
        overhead_s: Those of a call that computes nothing.
        layers: Name of a layer's weight -> its time, with its share of the rest; with the overhead, they add up to the
            network's.
    """

    network_s: float
    overhead_s: float
    layers: Mapping[str, LayerTime]


def time_layers(
    model: nn.Module,
    inputs: InputsLike,
    *,
    batch_size: int,
    runtime: Runtime = "eager",
    device: torch.device,
    should_stop: Callable[[], bool],
) -> NetworkTime:
    """Measure a network's layers one by one.

    Args:
        model: In evaluation mode; moved to `device`.
        inputs: What it takes.
        batch_size: Samples in a pass.
        runtime: What runs them: every layer is compiled or exported alone, at every width that is tried.
        device: Where it runs.
        should_stop: Asked before every pass.

    Raises:
        BadInputError: The runtime is not to be had here.
        BadNetworkError: ONNX cannot express a layer.
        CancelledError: `should_stop` returned true.
    """
    spec = as_spec(inputs)

    def seconds(module: nn.Module, spec: InputSpec, batch: Inputs) -> float:
        one_pass = _pass_of(module, spec, batch, runtime)
        with in_mode(module, training=False):
            times = time_in_turn(
                {"": one_pass}, warmup=_WARM_UP, repeats=_REPEATS, device=device, should_stop=should_stop
            )
        return median(each for block in times[""] for each in block)

    batch = to_device(example_inputs(model, spec, batch_size), device)
    calls = _calls(model.to(device), batch)
    network_s = seconds(model, spec, batch)
    overhead_s = seconds(nn.Identity(), InputSpec.of_shape((1,)), torch.zeros(1, 1, device=device))

    def seconds_alone(module: nn.Module, shape: Sequence[int]) -> float:
        measured = seconds(module, InputSpec.of_shape(shape[1:]), torch.zeros(*shape, device=device))
        return max(measured - overhead_s, _LEAST * measured)

    known: dict[str, LayerTime] = {}
    times: dict[str, LayerTime] = {}
    outputs: dict[str, int] = {}
    for name, (layer, shapes) in calls.items():
        for shape in shapes:
            if f"{layer} {shape}" not in known:
                known[f"{layer} {shape}"] = _time_layer(layer, shape, seconds_alone)
        times[f"{name}.weight"] = _together([(known[f"{layer} {shape}"], count) for shape, count in shapes.items()])
        outputs[f"{name}.weight"] = sum(count * _output_size(layer, shape) for shape, count in shapes.items())
    computing_s, together_s = max(0.0, network_s - overhead_s), sum(each.total for each in times.values())
    between = max(0.0, computing_s - together_s) / max(1, sum(outputs.values()))
    scale = min(1.0, computing_s / together_s) if together_s else 1.0
    return NetworkTime(
        network_s=network_s,
        overhead_s=overhead_s,
        layers={name: _in_network(each, scale, between * outputs[name]) for name, each in times.items()},
    )


def _together(calls: Sequence[tuple[LayerTime, int]]) -> LayerTime:
    """The time of a layer that runs several times."""
    return LayerTime(
        fixed=sum(count * each.fixed for each, count in calls),
        products=sum(count * each.products for each, count in calls),
        inputs=sum(count * each.inputs for each, count in calls),
        outputs=sum(count * each.outputs for each, count in calls),
    )


def _in_network(alone: LayerTime, scale: float, rest: float) -> LayerTime:
    """The time of a layer within its network: scaled, with a share of the rest."""
    return LayerTime(
        fixed=alone.fixed * scale,
        products=alone.products * scale,
        inputs=alone.inputs * scale,
        outputs=alone.outputs * scale + rest,
    )


def _pass_of(module: nn.Module, spec: InputSpec, batch: Inputs, runtime: Runtime) -> Pass:
    if runtime == "onnxruntime":
        content = write_onnx(copy.deepcopy(module), spec)
        return onnx_pass(content, batch, threads=torch.get_num_threads())
    return torch_pass(module.to(tensors_of(batch)[0].device), batch, runtime)


def _calls(model: nn.Module, batch: Inputs) -> dict[str, tuple[Layer, Counter[tuple[int, ...]]]]:
    """Every convolution and linear layer that runs, with the shapes of its inputs and how often it has such ones."""
    calls: dict[str, tuple[Layer, Counter[tuple[int, ...]]]] = {}
    names: dict[nn.Module, str] = {each: name for name, each in model.named_modules() if isinstance(each, Layer)}

    def note(layer: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor]) -> None:
        source = args[0] if args else kwargs["input"]
        if isinstance(layer, Layer) and source.numel():  # a detector's head may get no boxes
            _, shapes = calls.setdefault(names[layer], (layer, Counter()))
            shapes[tuple(source.shape)] += 1

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in names]
    try:
        with torch.inference_mode():
            call(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _time_layer(layer: Layer, shape: Sequence[int], seconds: Callable[[nn.Module, Sequence[int]], float]) -> LayerTime:
    rows, taken = [], []
    for read, written in _FRACTIONS:
        smaller, smaller_shape = _cut(layer, shape, read, written)
        taken.append(seconds(smaller, smaller_shape))
        rows.append([1, smaller.weight.numel(), math.prod(smaller_shape), _output_size(smaller, smaller_shape)])
    features, times = torch.tensor(rows, dtype=torch.float64), torch.tensor(taken, dtype=torch.float64)
    features = features / features[0]  # so that a coefficient is the seconds of its part at full width
    fixed, products, inputs, outputs = non_negative_fit(features / times[:, None], torch.ones_like(times)).tolist()
    if getattr(layer, "groups", 1) > 1:  # its input and output channels are proportional
        inputs, outputs = 0.0, inputs + outputs
    return LayerTime(fixed=fixed, products=products, inputs=inputs, outputs=outputs)


def non_negative_fit(features: Float[Tensor, "m n"], values: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
    """The coefficients, none below 0, of least squared error; by trying which of them are 0, so for a few features."""
    best, least = torch.zeros(features.shape[1], dtype=features.dtype), float(values.square().sum())
    for count in range(1, features.shape[1] + 1):
        for chosen in itertools.combinations(range(features.shape[1]), count):
            part = features[:, chosen]
            solution = torch.linalg.lstsq(part, values[:, None], driver="gelsd").solution[:, 0]
            error = float((part @ solution - values).square().sum())
            if (solution >= 0).all() and error < least:
                least, best = error, torch.zeros_like(best)
                best[list(chosen)] = solution
    return best


def _cut(layer: Layer, shape: Sequence[int], read: float, written: float) -> tuple[Layer, Sequence[int]]:
    """A layer of the same kind with these fractions of channels, and the shape of its input."""
    if isinstance(layer, nn.Linear):
        features = max(1, round(layer.in_features * read))
        linear = nn.Linear(features, max(1, round(layer.out_features * written)), layer.bias is not None)
        return linear, (*shape[:-1], features)
    groups = layer.groups
    if groups == layer.in_channels > 1:  # depthwise: as many groups as channels
        groups = read_channels = max(1, round(layer.in_channels * read))
        written = read
    else:
        read_channels = groups * max(1, round(layer.in_channels * read / groups))
    per_group = max(1, round(layer.out_channels * written / groups))
    kind: Any = type(layer)  # whose sizes are tuples of one, two or three
    made: Layer = kind(
        read_channels,
        per_group * groups,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=groups,
        bias=layer.bias is not None,
        padding_mode=layer.padding_mode,
    )
    return made, (shape[0], read_channels, *shape[2:])


def _output_size(layer: Layer, shape: Sequence[int]) -> int:
    with torch.inference_mode():
        outputs: Tensor = copy.deepcopy(layer).to("meta")(torch.empty(*shape, device="meta"))
    return outputs.numel()
