"""Stage `prune`: the smaller network itself, by removing channels or by resampling functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from safetensors.torch import load
from torch import Tensor

from jobs.errors import BadNumericsError
from workers.allocation import ALLOCATIONS, Allocation, Errors, merging_errors, removal_errors
from workers.channels import ChannelMap
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample
from workers.network import Recipe, network_files, read_recipe, read_state, rebuild
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._selection import kept_file, selected
from workers.stages._smaller import measure_smaller
from workers.stages.score import SCORES_FILE
from workers.stages.tune import BIAS_PREFIX, PARTITION_FILE

_Made: TypeAlias = tuple[dict[str, Tensor], dict[str, bytes]]
"""Tensors of the smaller network, and what else is known of it, as files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The network that is pruned."""

    recipe: Recipe
    state: Mapping[str, Tensor]
    channel_map: ChannelMap


def run(context: Context) -> Product:
    """Make the smaller network.

    Params: `how` (`remove` channels by score, or `resample` functions), `allocation`, `compression`, and for `resample`
    the `partition` and `quadrature`. Measures what `measure_smaller` says. Where channels were removed, a file names
    those that were kept.

    Raises:
        ValueError: The sliced network's output is not the masked one's, or the number of parameters is not the
            predicted one: the channel analysis was wrong.
        BadNumericsError: The resampled network's output is not finite.
    """
    source = _Source(recipe=read_recipe(context), state=read_state(context), channel_map=read_channels(context))
    errors, make = {"remove": (_removal_errors, _remove), "resample": (_merging_errors, _resample)}[
        context.params["how"]
    ]
    allocation = ALLOCATIONS[context.params["allocation"]](
        source.channel_map, context.params["compression"], lambda: errors(context, source)
    )
    images = torch.rand(2, *source.recipe.input_shape, generator=context.generator("images"), dtype=torch.float64)
    state, more = make(context, source, allocation, images)
    return Product(
        measurements=measure_smaller(source.recipe, source.state, state, source.channel_map, allocation),
        files={**network_files(source.recipe, state), **more},
    )


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
    return selected(source.recipe, source.state, source.channel_map, kept, images), kept_file(kept)


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
