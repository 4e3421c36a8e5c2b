"""Stage `sense`: how much the loss grows when one channel group alone is cut."""

import copy
import json

import torch
from safetensors.torch import load
from torch import Tensor

from workers.channels import ChannelMap, load_resized
from workers.measure import evaluate
from workers.network import read_network, read_state
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.stages._smaller import cells_at, remove, resample_to
from workers.stages.score import SCORES_FILE

LOSSES_FILE = "losses.json"


def run(context: Context) -> Product:
    """Measure the cross-entropy with each group cut to each of some fractions of its width, all others whole.

    Params: `how` (as of `prune`; for `resample` with `partition` and `quadrature`), `fractions`, `num_images` (of the
    training split, chosen by `seed`), `batch_size`, `data`, `seed`. Measures the `loss` of the whole network and how
    many smaller ones were measured.
    """
    module, _ = read_network(context)
    state, channel_map = read_state(context), read_channels(context)
    train = read_data(context).train
    images = train.select(
        torch.randperm(len(train), generator=context.generator("images"))[: context.params["num_images"]]
    )

    def loss(network: torch.nn.Module) -> float:
        return evaluate(
            network,
            images,
            batch_size=context.params["batch_size"],
            device=context.device,
            should_stop=context.should_stop,
        ).loss

    whole = loss(module)
    grown: dict[str, dict[int, float]] = {}
    for name, width in channel_map.widths().items():
        kept = sorted({max(1, round(fraction * width)) for fraction in context.params["fractions"]} - {width})
        grown[name] = {}
        for smaller in kept:
            network = copy.deepcopy(module)
            load_resized(network, _cut(context, state, channel_map, {**channel_map.widths(), name: smaller}))
            grown[name][smaller] = loss(network) - whole
    return Product(
        measurements={"loss": whole, "networks": sum(len(each) for each in grown.values())},
        files={LOSSES_FILE: json.dumps(grown).encode()},
    )


def _cut(
    context: Context, state: dict[str, Tensor], channel_map: ChannelMap, widths: dict[str, int]
) -> dict[str, Tensor]:
    if context.params["how"] == "remove":
        return remove(state, channel_map, load(context.read("scores", SCORES_FILE)), widths)
    cells = cells_at(state, channel_map, widths, context.params["partition"])
    return resample_to(state, channel_map, cells, context.params["quadrature"])
