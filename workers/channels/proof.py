"""Checks a channel map numerically: the network is permuted, masked, pruned and trained, and outputs are compared.

`find_groups` proves a map on shapes alone. Here the network runs in float64; used by tests and benchmarks.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workers.channels.absence import leaving_out, without
from workers.channels.attributes import attach
from workers.channels.counting import count_parameters
from workers.channels.layout import ChannelMap
from workers.channels.precision import InDouble
from workers.channels.rebuild import load_resized
from workers.channels.slicing import select
from workers.channels.trace import meta_copy
from workers.inputs import Inputs, InputsLike, as_spec, call
from workers.nested import floats_of, map_tensors

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
    with InDouble():
        return _compared(trial, inputs, channel_map, ratio, generator)


def _compared(
    trial: nn.Module, inputs: InputsLike, channel_map: ChannelMap, ratio: float, generator: torch.Generator
) -> Proof:
    attach(trial, channel_map.attributes)
    load_resized(trial, _without_twins(trial.state_dict(), generator))
    state = {name: tensor.clone() for name, tensor in trial.state_dict().items()}
    sample = as_spec(inputs).draw(_BATCH, generator, torch.float64, floats="normal")
    order = {group.name: torch.randperm(group.width, generator=generator) for group in channel_map.groups}
    kept = {
        name: units[: max(1, len(units) - round(ratio * len(units)))].sort().values for name, units in order.items()
    }
    whole = _output(trial, sample)
    needed = _needed(trial, sample)
    load_resized(trial, select(state, channel_map, order))
    permuted = _output(trial, sample)
    load_resized(trial, without(state, channel_map, kept))
    with leaving_out():
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
    return all(output.is_meta or bool(output.isfinite().all()) for output in outputs), trained


def _needed(model: nn.Module, sample: Inputs) -> set[str]:
    """Which parameters have a gradient after a training pass: of shapes alone, where no number is read."""
    try:
        return _with_gradient(meta_copy(model), map_tensors(lambda leaf: leaf.to("meta"), sample))[1]
    except Exception:  # whatever code raises that needs numbers
        return _with_gradient(model, sample)[1]


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp_min(1e-300))
