"""How long the layers of a network take on this machine, and how that depends on their widths.

Every layer is measured alone at several widths, and its time is taken for a sum of parts: one that is always there, one
by its multiply-accumulates, one by the numbers that it reads, one by those that it writes. What is left of the whole
network's time (norms, activations, sums) is put down to the layers by what they write.

Times differ between machines and from run to run, and a layer alone finds its input in the cache more often than in the
network. So this ranks widths on the device that measured; it is no promise of seconds. Knows no channel groups.
"""

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import CancelledError

Layer: TypeAlias = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d | nn.Linear
)
"""What is measured: layers whose weights are multiplied with."""

_FRACTIONS = ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.75, 0.75), (0.5, 0.5), (0.25, 0.25))
"""Of the input's and of the output's channels."""

_WARM_UP, _LEAST = 2, 5  # passes


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTime:
    """Seconds of one layer at its full width, by what they depend on.

    Attributes:
        fixed: What every call costs.
        products: In proportion to the multiply-accumulates.
        inputs: In proportion to the channels that it reads.
        outputs: In proportion to the channels that it writes.
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
    """What was measured.

    Attributes:
        network_s: Seconds of a forward pass of the whole network, the median.
        layers: Name of a layer's weight -> its time, with what was put down to it.
    """

    network_s: float
    layers: Mapping[str, LayerTime]


def time_layers(
    model: nn.Module,
    input_shape: Sequence[int],
    *,
    batch_size: int,
    device: torch.device,
    should_stop: Callable[[], bool],
    measure_s: float = 0.05,
) -> NetworkTime:
    """Measure a network's layers one by one.

    Args:
        model: In evaluation mode; moved to `device`.
        input_shape: Shape of one sample.
        batch_size: Samples in a pass.
        device: Where it runs.
        should_stop: Asked before every layer.
        measure_s: How long each measurement lasts at least.

    Raises:
        CancelledError: `should_stop` said so.
    """
    model.to(device)
    images = torch.rand(batch_size, *input_shape, device=device)
    calls = _calls(model, images)
    network_s = _seconds(model, images, measure_s)
    known: dict[str, LayerTime] = {}
    times: dict[str, LayerTime] = {}
    for name, (layer, shape) in calls.items():
        if should_stop():
            raise CancelledError(f"the profile stopped on request after {len(times)} of {len(calls)} layers")
        alike = f"{layer} {tuple(shape)}"
        if alike not in known:
            known[alike] = _time_layer(layer, shape, device, measure_s)
        times[f"{name}.weight"] = known[alike]
    outputs = {f"{name}.weight": _output_size(layer, shape) for name, (layer, shape) in calls.items()}
    between = max(0.0, network_s - sum(each.total for each in times.values())) / max(1, sum(outputs.values()))
    return NetworkTime(
        network_s=network_s,
        layers={
            name: LayerTime(
                fixed=each.fixed,
                products=each.products,
                inputs=each.inputs,
                outputs=each.outputs + between * outputs[name],
            )
            for name, each in times.items()
        },
    )


def _calls(model: nn.Module, images: Float[Tensor, "n *sample"]) -> dict[str, tuple[Layer, torch.Size]]:
    """Every convolution and linear layer that runs, with the shape of its (first) input."""
    calls: dict[str, tuple[Layer, torch.Size]] = {}

    def watch(name: str, layer: Layer) -> torch.utils.hooks.RemovableHandle:
        return layer.register_forward_pre_hook(
            lambda _, inputs: calls.setdefault(name, (layer, inputs[0].shape)) and None
        )

    handles = [watch(name, each) for name, each in model.named_modules() if isinstance(each, Layer)]
    try:
        with torch.inference_mode():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _time_layer(layer: Layer, shape: Sequence[int], device: torch.device, measure_s: float) -> LayerTime:
    rows, seconds = [], []
    for read, written in _FRACTIONS:
        smaller, smaller_shape = _cut(layer, shape, read, written)
        inputs = torch.rand(*smaller_shape, device=device)
        seconds.append(_seconds(smaller.to(device), inputs, measure_s))
        weight = smaller.get_parameter("weight").numel()
        rows.append([1.0, weight, inputs.numel(), _output_size(smaller, smaller_shape)])
    features, times = torch.tensor(rows, dtype=torch.float64), torch.tensor(seconds, dtype=torch.float64)
    features = features / features[0]  # so that a coefficient is the seconds of its part at full width
    fixed, products, inputs_part, outputs = non_negative_fit(features / times[:, None], torch.ones_like(times)).tolist()
    return LayerTime(fixed=fixed, products=products, inputs=inputs_part, outputs=outputs)


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
        made = nn.Linear(
            max(1, round(layer.in_features * read)), max(1, round(layer.out_features * written)), layer.bias is not None
        )
        return made.eval(), (*shape[:-1], made.in_features)
    groups = layer.groups
    if groups == layer.in_channels > 1:  # depthwise: as many groups as channels
        groups = read_channels = max(1, round(layer.in_channels * read))
        written = read
    else:
        read_channels = groups * max(1, round(layer.in_channels * read / groups))
    per_group = max(1, round(layer.out_channels * written / groups))
    made = type(layer)(
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
    return made.eval(), (shape[0], read_channels, *shape[2:])


def _output_size(layer: Layer, shape: Sequence[int]) -> int:
    with torch.inference_mode():
        return int(copy.deepcopy(layer).to("meta")(torch.empty(*shape, device="meta")).numel())


def _seconds(module: nn.Module, inputs: Float[Tensor, "..."], measure_s: float) -> float:
    """Median seconds of a forward pass; the GPU is waited for, and the first passes do not count."""
    wait = torch.cuda.synchronize if inputs.is_cuda else lambda: None
    taken: list[float] = []
    with torch.inference_mode():
        for _ in range(_WARM_UP):
            module(inputs)
        wait()
        while len(taken) < _LEAST or sum(taken) < measure_s:
            started = time.perf_counter()
            module(inputs)
            wait()
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)
