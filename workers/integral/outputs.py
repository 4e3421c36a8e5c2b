"""What layers write in a pass: the mean and the variance of each output."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.integral.moments import OutputMoments

Layer: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear


@torch.inference_mode()
def measure_outputs(layers: Mapping[str, nn.Module], run: Callable[[], object]) -> OutputMoments:
    """Mean and variance of all outputs of layers, over the samples and positions of one pass.

    Args:
        layers: By the names that the result has; those that are not called exactly once are left out.
        run: Makes the pass.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    calls: dict[str, int] = {}

    def note(name: str, layer: Layer, outputs: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1
        found[name] = moments_of(layer, outputs)

    with watching(layers, note):
        run()
    once = [name for name, times in calls.items() if times == 1]
    return OutputMoments(
        means={name: found[name][0] for name in once}, variances={name: found[name][1] for name in once}
    )


def pooled(parts: Sequence[OutputMoments], num_samples: Sequence[int]) -> OutputMoments:
    """The moments over all samples of several passes, from those of each; of the layers that all of them tell of.

    Args:
        parts: Of each pass.
        num_samples: Of each pass; all samples have as many positions.
    """
    shares = torch.tensor(num_samples) / sum(num_samples)
    means, variances = {}, {}
    for layer in parts[0].means:
        if all(layer in part.means for part in parts):
            of_passes = torch.stack([part.means[layer] for part in parts])
            within = torch.stack([part.variances[layer] for part in parts])
            means[layer] = shares @ of_passes
            variances[layer] = shares @ (within + (of_passes - means[layer]).square())
    return OutputMoments(means=means, variances=variances)


def moments_of(layer: Layer, outputs: Tensor) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and variance of each channel of a layer's outputs over all samples and positions."""
    rows = outputs.detach().movedim(channel_axis(layer, outputs), 0).flatten(1).float()
    return rows.mean(1), rows.var(1, correction=0)


def channel_axis(layer: Layer, outputs: Tensor) -> int:
    """The axis of a layer's outputs that its channels run along."""
    return -1 if isinstance(layer, nn.Linear) else outputs.ndim - len(layer.kernel_size) - 1


@contextmanager
def watching(layers: Mapping[str, nn.Module], act: Callable[[str, Any, Tensor], Tensor | None]) -> Iterator[None]:
    """Calls a function with name, layer and outputs after each call of a layer; outputs may be replaced."""
    hooks = [
        layer.register_forward_hook(lambda layer, _, outputs, name=name: act(name, layer, outputs))
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
