"""What becomes of a pruned network by training: it goes on from its weights, or starts anew at its widths.

Knows no way to prune: what counts is a network artifact, whatever made it.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from jobs.identity import Json
from workers.network import (
    BEST_FILE,
    network_files,
    read_masks,
    read_network,
    read_recipe,
    read_state,
    sizes,
    start_anew,
    state_bytes,
)
from workers.network import Recipe as NetworkRecipe
from workers.sparsity import KeepMasked
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.stages._learning import epochs_measured, learn, spent_after
from workers.training import Recipe, scratch_epochs


def train_further(context: Context) -> Product:
    """All weights of the input network are trained on: fine-tuning, or a part of the dense network's schedule again."""
    module, network = read_network(context)
    recipe = replace(Recipe.from_json(context.params["train"]), begin=context.params.get("begin", 0))
    return _trained(context, module, network, recipe, context.measured("network"))


def train_from_scratch(context: Context) -> Product:
    """A fresh network of the input network's widths is trained; nothing else of the input network is looked at."""
    pruned = read_recipe(context)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        module, network = start_anew(pruned, read_state(context))
    measured = context.measured("network")
    if pruned.folded:  # the batch norms are back, as they are in the dense network
        size = sizes(module, network)
        measured = {**measured, **size, "compression": 1 - size["params"] / context.measured("dense")["params"]}
    return _trained(context, module, network, _on_budget(context), measured)


def _on_budget(context: Context) -> Recipe:
    """The task's recipe, as long as its budget allows."""
    recipe, budget = Recipe.from_json(context.params["train"]), context.params.get("budget")
    if budget is None:
        return recipe
    epochs = scratch_epochs(
        recipe.epochs,
        dense_macs=context.measured("dense")["macs"],
        pruned_macs=context.measured("network")["macs"],
        cap=budget["cap"],
        fine_tuning_epochs=budget["fine_tuning_epochs"],
    )
    return replace(recipe, epochs=epochs)


def _trained(
    context: Context,
    module: nn.Module,
    network: NetworkRecipe,
    recipe: Recipe,
    measured: Mapping[str, Json],
) -> Product:
    """Train a module; the product carries on what was measured of the network, with what this training adds.

    Single weights that were removed stay away, whether the module has the network's weights or fresh ones.
    """
    data, masks = read_data(context), read_masks(context)
    trained = learn(context, module, data, recipe, KeepMasked(module, masks) if masks else None)
    return Product(
        measurements={**measured, **epochs_measured(trained), **spent_after(measured, recipe, data)},
        files={**network_files(network, module.state_dict(), masks), BEST_FILE: state_bytes(trained.best)},
    )
