"""Stage `prune`: the smaller network itself, by removing channels or by resampling functions."""

from typing import TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor

from jobs.errors import BadNumericsError
from workers.allocation import Allocation
from workers.channels import select
from workers.network import network_files, read_recipe, read_state, rebuild
from workers.stages._allocation import Source, allocated
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._description import measure_smaller
from workers.stages._learning import spent
from workers.stages._selection import selected
from workers.stages._smaller import cells_at, highest, resample_to
from workers.stages._weights import remove_weights
from workers.stages.score import SCORES_FILE
from workers.stages.tune import BIAS_PREFIX, PARTITION_FILE

KEPT_FILE = "kept.safetensors"
"""Group name -> numbers of the channels that were kept, rising; where channels were removed."""

_Made: TypeAlias = tuple[dict[str, Tensor], dict[str, bytes]]
"""The tensors of the smaller network, and files beside them."""


def run(context: Context) -> Product:
    """Make the smaller network.

    Params: `how` (`remove` channels by score, `resample` functions, `magnitude`, or `rewind`), those of the allocation,
    and for `resample` the `partition` and `quadrature`. Measures what `measure_smaller` says and, where the network was
    trained on the way here, what was spent. Where channels were removed it keeps which ones were `kept`.

    `rewind` removes the channels that another task (role `pruned`) has removed from an earlier network of the same
    training (role `network`; the channels of both are in the role `channels`), and measures what that task measured.
    `magnitude` removes single weights: see `remove_weights`.

    Raises:
        BadInputError: The target is out of reach.
        ValueError: The sliced network's output is not the masked one's, or the number of parameters is not the
            predicted one: the channel analysis was wrong.
        BadNumericsError: The resampled network's output is not finite.
    """
    if context.params["how"] == "magnitude":
        return remove_weights(context)
    if context.params["how"] == "rewind":
        return _rewind(context)
    source = Source(recipe=read_recipe(context), state=read_state(context), channel_map=read_channels(context))
    allocation = allocated(context, source)
    make = {"remove": _remove, "resample": _resample}[context.params["how"]]
    images = torch.rand(2, *source.recipe.input_shape, generator=context.generator("images"), dtype=torch.float64)
    state, kept = make(context, source, allocation, images)
    return Product(
        measurements={
            **measure_smaller(context, source, state, allocation),
            **spent(*(context.measured(role) for role in ("network", "partition") if role in context.task.inputs)),
        },
        files={**network_files(source.recipe, state), **kept},
    )


def _rewind(context: Context) -> Product:
    recipe, kept = read_recipe(context), context.read("pruned", KEPT_FILE)
    state = select(read_state(context), read_channels(context, "channels"), load(kept))
    return Product(measurements=context.measured("pruned"), files={**network_files(recipe, state), KEPT_FILE: kept})


def _remove(context: Context, source: Source, allocation: Allocation, images: Tensor) -> _Made:
    scores = load(context.read("scores", SCORES_FILE))
    kept = highest(scores, allocation.widths)
    return selected(source, kept, images), {KEPT_FILE: save(kept)}


def _resample(context: Context, source: Source, allocation: Allocation, images: Tensor) -> _Made:
    biases: dict[str, Tensor] = {}
    if "partition" in context.task.inputs:
        tuned = load(context.read("partition", PARTITION_FILE))
        cells = {name: tuned[name] for name in allocation.widths}
        biases = {
            name.removeprefix(BIAS_PREFIX): tensor for name, tensor in tuned.items() if name.startswith(BIAS_PREFIX)
        }
    else:
        cells = cells_at(source.state, source.channel_map, allocation.widths, context.params["partition"])
    state = {**resample_to(source.state, source.channel_map, cells, context.params["quadrature"]), **biases}
    with torch.inference_mode():
        if not rebuild(source.recipe, state).double()(images).isfinite().all():
            raise BadNumericsError("the resampled network's output is not finite on random images")
    return state, {}
