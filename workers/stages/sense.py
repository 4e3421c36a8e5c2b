"""Stage `sense`: growth of the loss when a single channel group is pruned."""

import copy
import json
from collections.abc import Mapping

import torch
from safetensors.torch import load
from torch import Tensor

from jobs.stages.common import Folding, Removal, Resampling
from jobs.stages.scoring import SenseParams
from workers.artifacts import LOSSES_FILE, SCORES_FILE
from workers.channels import load_resized
from workers.measure import evaluate
from workers.network import StoredNetwork
from workers.objectives import find_objective
from workers.stages._base import Context, Product
from workers.stages._images import draw_images
from workers.stages._mixing import folding, mix, resampling
from workers.stages._smaller import cells_at, remove


def run(context: Context[SenseParams]) -> Product:
    """Measure the loss with each group pruned to some fractions of its width, all others whole.

    A group of several channels loses one at least, and keeps one. Where channels are mixed, those that cannot be are
    left out.

    Measures the `loss` of the whole network and the number of smaller `networks`.
    """
    params, network = context.params, context.network(context.params.network)
    module, full = network.module(context.device), network.channel_map.widths()
    removes = isinstance(params.how, Removal)
    whole_groups = {group.name for group in network.channel_map.groups if group.unmixable and not removes}
    images, objective = draw_images(context, params.images), find_objective(params.objective)

    def loss(smaller: torch.nn.Module) -> float:
        return evaluate(
            smaller,
            images,
            objective,
            batch_size=params.batch_size,
            device=context.device,
            should_stop=context.should_stop,
        ).loss

    whole = loss(module)
    grown: dict[str, dict[int, float]] = {}
    for name, width in full.items():
        kept = sorted({min(width - 1, max(1, round(fraction * width))) for fraction in params.fractions} - {0})
        grown[name] = {}
        for left in () if name in whole_groups else kept:
            smaller = copy.deepcopy(module)
            load_resized(smaller, _cut(context, network, {**full, name: left}))
            grown[name][left] = loss(smaller) - whole
    return Product(
        measurements={"loss": whole, "networks": sum(len(each) for each in grown.values())},
        files={LOSSES_FILE: json.dumps(grown).encode()},
    )


def _cut(context: Context[SenseParams], network: StoredNetwork, widths: Mapping[str, int]) -> dict[str, Tensor]:
    match context.params.how:
        case Removal(scores=scored):
            scores = load(context.artifacts.read(scored, SCORES_FILE))
            return remove(network.state, network.channel_map, scores, widths)
        case Resampling() as how:
            cells = cells_at(network.state, network.channel_map, widths, how.partition)
            return mix(network, resampling(network, how, cells))
        case Folding() as how:
            return mix(network, folding(network, how, widths, context.small_seed("clusters")))
