"""Checks a channel map numerically: the network is permuted, masked, pruned and trained, and outputs are compared.

`find_groups` proves a map on shapes alone. Here the network runs in float64; used by tests and benchmarks.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from workers.channels.counting import count_parameters
from workers.channels.layout import AxisLayout, ChannelMap
from workers.channels.rebuild import load_resized
from workers.channels.slicing import mask, select
from workers.inputs import Inputs, InputsLike, as_spec, call
from workers.nested import floats_of

_BATCH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result of one trial.

    Attributes:
        permutation_error: relative error of the output after all groups were reordered at random.
        masking_error: relative error of the pruned network's output against the masked network's. Norms over channels
            take their statistics over the kept channels in both (see `ChannelGroup.normalised`).
        change: relative change of the output by the removal; a trial in which it is 0 proves nothing.
        predicted_parameters: number of parameters of the pruned network according to the map.
        actual_parameters: its actual number.
        ran_backward: whether the pruned network trains: finite outputs, and a gradient for every parameter that needs
            one and has one in the whole network.
    """

    permutation_error: float
    masking_error: float
    change: float
    predicted_parameters: int
    actual_parameters: int
    ran_backward: bool

    def holds(self, tolerance: float = 1e-5) -> bool:
        """Whether the map is confirmed, with relative errors up to the tolerance."""
        errors = self.permutation_error <= tolerance and self.masking_error <= tolerance
        return errors and self.predicted_parameters == self.actual_parameters and self.ran_backward


def prove(
    model: nn.Module, inputs: InputsLike, channel_map: ChannelMap, *, ratio: float, generator: torch.Generator
) -> Proof:
    """Prunes a random part of every group from a copy of the network and compares.

    Constant tensors (fresh norms, zero biases) are randomised first, so that no two channels are equal; the model
    itself is not changed.

    Args:
        model: a network on the CPU.
        inputs: what it takes.
        channel_map: its map.
        ratio: fraction of the units of every group to remove, in [0, 1); at least one unit stays.
        generator: source of the numbers, the order and the choice, on the CPU.

    Raises:
        ValueError: the ratio is out of range.
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio {ratio} is outside [0, 1)")
    trial = copy.deepcopy(model).double().eval()
    load_resized(trial, _without_twins(trial.state_dict(), generator))
    state = {name: tensor.clone() for name, tensor in trial.state_dict().items()}
    sample = as_spec(inputs).draw(_BATCH, generator, torch.float64, floats="normal")
    order = {group.name: torch.randperm(group.width, generator=generator) for group in channel_map.groups}
    kept = {
        name: units[: max(1, len(units) - round(ratio * len(units)))].sort().values for name, units in order.items()
    }
    whole = _output(trial, sample)
    needed = _with_gradient(trial, sample)[1]
    load_resized(trial, select(state, channel_map, order))
    permuted = _output(trial, sample)
    load_resized(trial, mask(state, channel_map, kept))
    with _KeptStatistics(trial, channel_map, kept):
        masked = _output(trial, sample)
    load_resized(trial, select(state, channel_map, kept))
    finite, trained = _with_gradient(trial, sample)
    return Proof(
        permutation_error=_relative(permuted, whole),
        masking_error=_relative(_output(trial.eval(), sample), masked),
        change=_relative(masked, whole),
        predicted_parameters=count_parameters(channel_map, {name: len(units) for name, units in kept.items()}),
        actual_parameters=sum(parameter.numel() for parameter in trial.parameters()),
        ran_backward=finite and needed <= trained,
    )


def _without_twins(state: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Replaces constant tensors of floats by random numbers in [0.5, 1.5)."""
    result = dict(state)
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all()):
            result[name] = 0.5 + torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
    return result


def _output(model: nn.Module, sample: Inputs) -> Tensor:
    with torch.no_grad():
        return torch.cat([part.flatten() for part in floats_of(call(model, sample))])


def _with_gradient(model: nn.Module, sample: Inputs) -> tuple[bool, set[str]]:
    """Whether the outputs of the training pass are finite, and which parameters have a gradient after it.

    Running statistics are put back.
    """
    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    model.train().zero_grad(set_to_none=True)
    outputs = floats_of(call(model, sample))
    if any(output.requires_grad for output in outputs):
        torch.stack([output.square().mean() for output in outputs if output.requires_grad]).sum().backward()
    for name, tensor in model.named_buffers():
        tensor.copy_(buffers[name])
    model.eval()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    return all(bool(output.isfinite().all()) for output in outputs), trained


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-300))


class _KeptStatistics(TorchFunctionMode):
    """Makes norms over channels leave out the channels that a mask has put to zero.

    A norm is identified by its weight; one without a weight is left unchanged.
    """

    def __init__(self, model: nn.Module, channel_map: ChannelMap, kept: Mapping[str, Tensor]) -> None:
        super().__init__()
        units = {channel_map.group_index(name): numbers.numpy() for name, numbers in kept.items()}
        self._kept: dict[int, list[Tensor]] = {
            id(parameter): [_kept_positions(axis, units) for axis in channel_map.tensors[name]]
            for name, parameter in model.named_parameters(remove_duplicate=False)
            if name in channel_map.tensors
        }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (functional.layer_norm, functional.rms_norm, functional.group_norm):
            return self._norm(func, inspect.signature(func).bind(*args, **kwargs).arguments)
        return func(*args, **kwargs)

    def _norm(self, func: Any, arguments: dict[str, Any]) -> Tensor:
        """A norm over the kept positions; zero elsewhere."""
        source, weight = arguments["input"], arguments.get("weight")
        if id(weight) not in self._kept or arguments.get("num_groups", 1) > 1:
            return cast(Tensor, func(**arguments))
        positions = self._kept[id(weight)]
        first = 1 if func is functional.group_norm else source.ndim - len(positions)
        index: list[Any] = [torch.arange(size) for size in source.shape]
        index[first : first + len(positions)] = positions
        grid = torch.meshgrid(*index, indexing="ij")
        own = torch.meshgrid(*positions, indexing="ij")
        arguments["input"] = source[grid]
        if "normalized_shape" in arguments:
            arguments["normalized_shape"] = tuple(len(each) for each in positions)
        for name in ("weight", "bias"):
            if arguments.get(name) is not None:
                arguments[name] = arguments[name][own]
        result = torch.zeros_like(source)
        result[grid] = func(**arguments)
        return result


def _kept_positions(axis: AxisLayout, units: Mapping[int, np.ndarray]) -> Tensor:
    kept = np.ones(axis.groups.size, dtype=bool)
    for group, numbers in units.items():
        kept &= (axis.groups != group) | np.isin(axis.units, numbers)
    return torch.from_numpy(np.flatnonzero(kept))
