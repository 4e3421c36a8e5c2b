"""Stage `prune`: the smaller network itself, by removing channels or by resampling functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor

from jobs.errors import BadNumericsError
from workers.allocation import ALLOCATIONS, Allocation, Errors, merging_errors, removal_errors
from workers.channels import ChannelMap, mask, select
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample
from workers.network import Recipe, network_files, read_recipe, read_state, rebuild, sizes
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._learning import spent
from workers.stages._weights import remove_weights
from workers.stages.score import SCORES_FILE
from workers.stages.tune import BIAS_PREFIX, PARTITION_FILE

KEPT_FILE = "kept.safetensors"
"""Group name -> numbers of the channels that were kept, rising; where channels were removed."""

_TOLERANCE = 1e-6
_Made: TypeAlias = tuple[dict[str, Tensor], dict[str, bytes]]
"""The tensors of the smaller network, and files beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The network that is pruned."""

    recipe: Recipe
    state: Mapping[str, Tensor]
    channel_map: ChannelMap


def run(context: Context) -> Product:
    """Make the smaller network.

    Params: `how` (`remove` channels by score, `resample` functions, or `rewind`), `allocation`, `compression`, and for
    `resample` the `partition` and `quadrature`. Measures the `compression` reached (with a `note` if it is not the one
    asked for), `params`, `macs`, `size_bytes`, the theoretical `speedup` (MACs of the whole network over those that are
    left), the `widths` and `full_widths` and, where the network was trained on the way here, what was spent. Where
    channels were removed it keeps which ones were `kept`.

    `rewind` removes the channels that another task (role `pruned`) has removed from an earlier network of the same
    training (role `network`; the channels of both are in the role `channels`), and measures what that task measured.
    `magnitude` removes single weights: see `remove_weights`.

    Raises:
        ValueError: The sliced network's output is not the masked one's, or the number of parameters is not the
            predicted one: the channel analysis was wrong.
        BadNumericsError: The resampled network's output is not finite.
    """
    if context.params["how"] == "magnitude":
        return remove_weights(context)
    if context.params["how"] == "rewind":
        return _rewind(context)
    source = _Source(recipe=read_recipe(context), state=read_state(context), channel_map=read_channels(context))
    errors, make = {"remove": (_removal_errors, _remove), "resample": (_merging_errors, _resample)}[
        context.params["how"]
    ]
    allocation = ALLOCATIONS[context.params["allocation"]](
        source.channel_map, context.params["compression"], lambda: errors(context, source)
    )
    images = torch.rand(2, *source.recipe.input_shape, generator=context.generator("images"), dtype=torch.float64)
    state, kept = make(context, source, allocation, images)
    module = rebuild(source.recipe, state)
    measured = sizes(module, source.recipe)
    full = sizes(rebuild(source.recipe, source.state), source.recipe)
    if abs(1 - measured["params"] / full["params"] - allocation.compression) > 1e-9:
        raise ValueError(
            f"{measured['params']} of {full['params']} parameters are left, not {1 - allocation.compression:.2%}"
        )
    return Product(
        measurements={
            "compression": allocation.compression,
            "note": allocation.note,
            "widths": dict(allocation.widths),
            "full_widths": source.channel_map.widths(),
            "speedup": full["macs"] / measured["macs"],
            **measured,
            **spent(*(context.measured(role) for role in context.task.inputs)),
        },
        files={**network_files(source.recipe, state), **kept},
    )


def _rewind(context: Context) -> Product:
    recipe, kept = read_recipe(context), context.read("pruned", KEPT_FILE)
    state = select(read_state(context), read_channels(context, "channels"), load(kept))
    return Product(measurements=context.measured("pruned"), files={**network_files(recipe, state), KEPT_FILE: kept})


def _removal_errors(context: Context, source: _Source) -> Errors:
    return removal_errors(source.state, source.channel_map, load(context.read("scores", SCORES_FILE)))


def _merging_errors(context: Context, source: _Source) -> Errors:
    return merging_errors(source.state, source.channel_map)


def _remove(context: Context, source: _Source, allocation: Allocation, images: Tensor) -> _Made:
    scores = load(context.read("scores", SCORES_FILE))
    kept = {
        name: scores[name].argsort(descending=True, stable=True)[:width].sort().values
        for name, width in allocation.widths.items()
    }
    sliced = select(source.state, source.channel_map, kept)
    with torch.inference_mode():
        expected = rebuild(source.recipe, mask(source.state, source.channel_map, kept)).double()(images)
        found = rebuild(source.recipe, sliced).double()(images)
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= _TOLERANCE:
        raise ValueError(f"sliced and masked network differ by {difference:.1e} of the largest output")
    return sliced, {KEPT_FILE: save(kept)}


def _resample(context: Context, source: _Source, allocation: Allocation, images: Tensor) -> _Made:
    biases: dict[str, Tensor] = {}
    if "partition" in context.task.inputs:
        tuned = load(context.read("partition", PARTITION_FILE))
        cells = {name: tuned[name] for name in allocation.widths}
        biases = {
            name.removeprefix(BIAS_PREFIX): tensor for name, tensor in tuned.items() if name.startswith(BIAS_PREFIX)
        }
    else:
        partition = PARTITIONS[context.params["partition"]]
        cells = choose_cells(source.state, source.channel_map, allocation.widths, partition)
    nodes = {name: nodes_of(widths) for name, widths in cells.items()}
    quadrature = QUADRATURES[context.params["quadrature"]]
    state = {**resample(source.state, source.channel_map, nodes, quadrature), **biases}
    with torch.inference_mode():
        if not rebuild(source.recipe, state).double()(images).isfinite().all():
            raise BadNumericsError("the resampled network's output is not finite on random images")
    return state, {}
