"""The widths of a task: runs its allocation, with inputs from the artifacts that the task names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load
from torch import Tensor

from jobs.errors import BadInputError
from jobs.spec.allocation import OwnAllocation
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.common import (
    DesignInput,
    Folding,
    FollowedDesigns,
    Removal,
    Resampling,
    Shrinking,
    WidthLimits,
    WidthParams,
)
from workers.allocation import (
    Allocation,
    AllocationProblem,
    Allocator,
    Bounds,
    Design,
    Errors,
    allocate,
    find_allocator,
    folding_errors,
    latency_cost,
    loss_curve,
    merging_errors,
    ranges_of,
    removal_errors,
    spectra,
)
from workers.artifacts import LOSSES_FILE, PROFILE_FILE, SCORES_FILE
from workers.channels import ChannelGroup, ChannelMap, Cost, MacCount, ParameterCount, cost_of_tensors, live_activations
from workers.measure.layers import LayerTime
from workers.measure.surroundings import live_around_parts
from workers.network import StoredNetwork
from workers.stages._base import Context

_NUMBER_BYTES = 4  # single precision


def allocate_widths(
    context: Context[StageParams],
    network: StoredNetwork,
    widths: WidthParams,
    *,
    how: Shrinking | None = None,
    errors: Callable[[], Errors] | None = None,
) -> Allocation:
    """The widths at which a task's target is met.

    Args:
        context: Context of the task.
        network: The network to be pruned; in rounds, what earlier ones have left of the dense one.
        widths: Target and allocation.
        how: How the network is brought to its widths; None: by removing channels without scores.
        errors: Error of the weights as channels are removed; default: of removing the lowest scores, of folding, or
            of merging neighbours.

    Raises:
        BadInputError: The target is out of reach, a pattern of the sweep file matches nothing, or the allocation has
            other needs than the sweep file says.
    """
    dense = dense_network(context, network, widths)
    measure, cost = _cost(context, dense, widths)
    evidence = _evidence(context, network, dense, widths, how)
    problem = AllocationProblem(
        channel_map=dense.channel_map,
        target=widths.compression if widths.round is None else widths.round.gone(widths.compression),
        cost=cost,
        measure=measure,
        ranges={},  # of `bounds`
        memory=lambda batch_size: _memory(dense, batch_size),
        **{**evidence, **({"errors": errors} if errors else {})},
    )
    bounds = _bounds(network, widths, mixed=isinstance(how, Resampling | Folding))
    return allocate(_allocator(widths), problem, _settings(widths), multiple=widths.multiple or 1, bounds=bounds)


def dense_network(context: Context[StageParams], network: StoredNetwork, widths: WidthParams) -> StoredNetwork:
    """The network that compressions are fractions of: the one to be pruned, in rounds that before the first one."""
    return network if widths.round is None else context.network(widths.round.dense)


def groups_kept_whole(channel_map: ChannelMap, limits: WidthLimits | None) -> frozenset[str]:
    """The names of the groups that are not resampled; raises as `ranges_of` does."""
    ranges = ranges_of(channel_map, limits or WidthLimits(), mixed=True)
    return frozenset(name for name, each in ranges.items() if each.kept and each.why)


def _bounds(network: StoredNetwork, widths: WidthParams, *, mixed: bool) -> Bounds | None:
    """What limits the widths of single groups; None where nothing does."""
    limits = widths.limits or WidthLimits()
    if widths.round is not None:
        return Bounds(limits=limits, present=network.channel_map.widths(), gone=widths.round.gone)
    fixed = mixed and any(group.unmixable for group in network.channel_map.groups)
    return Bounds(limits=limits, mixed=mixed) if fixed or widths.limits is not None else None


def latency_of(context: Context[StageParams], network: StoredNetwork, profile: ArtifactKey) -> Cost:
    """Seconds as a function of widths, from a profile."""
    record = context.artifacts.read_json(profile, PROFILE_FILE)
    layers = {name: LayerTime(**parts) for name, parts in record["layers"].items()}
    return latency_cost(network.channel_map, layers, record["overhead_s"])


def _allocator(widths: WidthParams) -> Allocator:
    allocation = widths.allocation
    if not isinstance(allocation, OwnAllocation):
        return find_allocator(allocation.kind)
    found = find_allocator(allocation.choose)
    if sorted(allocation.needs) != sorted(found.needs):
        raise BadInputError(
            f"allocation '{allocation.choose}' needs {list(found.needs)}; the sweep says "
            f"`needs: {list(allocation.needs)}`"
        )
    return found


def _settings(widths: WidthParams) -> dict[str, Any]:
    """The allocation's keyword arguments."""
    if widths.memory_batch_size is None:
        return widths.allocation.settings
    return {**widths.allocation.settings, "batch_size": widths.memory_batch_size}


def _cost(context: Context[StageParams], network: StoredNetwork, widths: WidthParams) -> tuple[str, Cost]:
    """The cost that the target is a fraction of: its name, and the cost as a function of the widths."""
    if widths.target == "parameters":
        return "parameters", ParameterCount(network.channel_map)
    if widths.target == "macs":
        return "multiply-accumulates", MacCount(network.channel_map)
    if widths.profile is None:
        raise BadInputError("the target is latency, but the task has no profile; plan the sweep again")
    return "latency", latency_of(context, network, widths.profile)


def _evidence(
    context: Context[StageParams],
    network: StoredNetwork,
    dense: StoredNetwork,
    widths: WidthParams,
    how: Shrinking | None,
) -> dict[str, Callable[[], Any]]:
    """The inputs of the allocation, read lazily."""
    evidence: dict[str, Callable[[], Any]] = {}
    match how:
        case Removal():
            evidence["scores"] = lambda: load(context.artifacts.read(how.scores, SCORES_FILE))
            evidence["errors"] = lambda: removal_errors(network.state, network.channel_map, evidence["scores"]())
        case Folding():
            evidence["errors"] = lambda: folding_errors(network.state, network.channel_map)
        case _:
            evidence["errors"] = lambda: merging_errors(network.state, network.channel_map)
            evidence["spectra"] = lambda: spectra(network.state, network.channel_map)
    losses, profile, allocation = widths.losses, widths.profile, widths.allocation
    if losses is not None:
        evidence["losses"] = lambda: _losses(context.artifacts.read_json(losses, LOSSES_FILE), network)
    if isinstance(allocation, FollowedDesigns):
        evidence["designs"] = lambda: [_design(context, each) for each in allocation.designs]
    if profile is not None:
        evidence["latency"] = lambda: latency_of(context, dense, profile)
    return evidence


def _losses(measured: Mapping[str, Mapping[str, float]], network: StoredNetwork) -> Errors:
    return {
        group.name: _loss_curve(group, {int(kept): grown for kept, grown in measured[group.name].items()})
        for group in network.channel_map.groups
    }


def _loss_curve(group: ChannelGroup, measured: Mapping[int, float]) -> Float[Tensor, " width"]:
    if group.unmixable and not measured:  # its width is fixed
        return torch.zeros(group.width, dtype=torch.float64)
    return loss_curve(group.width, measured)


def _design(context: Context[StageParams], design: DesignInput) -> Design:
    widths: Any = context.network(design.network).measured["widths"]
    return Design(channel_map=context.network(design.channels).channel_map, widths=dict(widths))


def _memory(network: StoredNetwork, batch_size: int) -> tuple[Cost, Sequence[Cost]]:
    channel_map, inputs = network.channel_map, network.recipe.inputs
    every = dict.fromkeys(channel_map.shapes, float(_NUMBER_BYTES))
    stored = Cost(channel_map.widths(), *cost_of_tensors(channel_map, every))
    weight = float(_NUMBER_BYTES * batch_size)
    if parts := network.recipe.parts:
        return stored, live_around_parts(network.module(), inputs, channel_map, parts, weight=weight)
    return stored, live_activations(network.module(), inputs, channel_map, weight=weight)
