"""Training of a pruned network: fine-tuning from its weights, from scratch at its widths, or within another one."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from jobs.identity import Json
from jobs.measured import count, number, text
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.training import FurtherTraining, Leg, ScratchTraining, TrainParams, TransferTraining
from workers.allocation import missed
from workers.artifacts import CHANNELS_FILE
from workers.data import ImageData
from workers.measure import count_applications, num_parameters
from workers.models import build, with_plain_weights
from workers.network import NetworkRecipe, network_files, sizes, start_anew, whole_network
from workers.objectives import find_objective
from workers.sparsity import KeepMasked
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._learning import epochs_measured, learn, spent_after, states_beside
from workers.stages._norms import with_norms
from workers.stages._racing import left_behind, rung_measured
from workers.stages._teaching import read_teacher
from workers.training import scratch_epochs


def train_further(context: Context[TrainParams], procedure: FurtherTraining) -> Product:
    """Train all weights of the network further: fine-tuning, or a part of the dense network's schedule again.

    Its channel groups, if it lists them for a further round of pruning, stay the same.
    """
    if left := left_behind(context, procedure.leg):
        return left
    network, data = context.network(procedure.network), read_data(context, context.params.data)
    module, recipe = with_norms(context, network, data, procedure.recipe.batch_size)
    measured = network.measured
    if recipe != network.recipe:
        measured = _measured_anew(measured, module, recipe, dense_params=num_parameters(whole_network(recipe)))
    trained = _trained(
        context,
        module.to(context.device),
        data,
        recipe,
        network.masks,
        procedure.recipe,
        measured,
        procedure.teacher,
        procedure.leg,
    )
    channels = {CHANNELS_FILE: network.read(CHANNELS_FILE)} if network.has(CHANNELS_FILE) else {}
    return replace(trained, files={**trained.files, **channels})


def train_from_scratch(context: Context[TrainParams], procedure: ScratchTraining) -> Product:
    """Train a freshly initialised network of the pruned one's widths; nothing else of that one is used."""
    if left := left_behind(context, procedure.leg):
        return left
    pruned, dense = context.network(procedure.network), context.network(procedure.dense)
    data = read_data(context, context.params.data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        module, recipe = start_anew(pruned.recipe, pruned.state)
    measured = pruned.measured
    if recipe != pruned.recipe:
        measured = _measured_anew(measured, module, recipe, dense_params=count(dense.measured, "params"))
    schedule = _on_budget(
        procedure, dense_macs=count(dense.measured, "macs"), pruned_macs=count(pruned.measured, "macs")
    )
    return _trained(context, module, data, recipe, pruned.masks, schedule, measured, procedure.teacher, procedure.leg)


def transfer(context: Context[TrainParams], procedure: TransferTraining) -> Product:
    """Build a network around another one, its backbone, and train it.

    Its compression and speedup are by comparison with the network built around the whole backbone.
    """
    source, data = context.network(procedure.network), read_data(context, context.params.data)

    def around(backbone: nn.Module) -> nn.Module:
        return with_plain_weights(build(procedure.target, procedure.arguments, backbone=backbone))

    backbone, backbone_recipe = with_norms(context, source, data, procedure.recipe.batch_size, around)
    recipe = NetworkRecipe(
        network=procedure.target,
        arguments=procedure.arguments,
        inputs=data.inputs,
        backbone=backbone_recipe,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.generator("initial weights").initial_seed())
        module = around(backbone)
        whole = replace(recipe, backbone=replace(source.recipe, folded=())).construct().eval()
    # The number of boxes that a detector looks at changes with every weight: both are counted with the same.
    recipe = replace(recipe, applications=count_applications(whole, recipe.inputs))
    size, full = sizes(module.eval(), recipe), sizes(whole, recipe)
    measured = {
        **source.measured,
        **size,
        "compression": 1 - size["params"] / full["params"],
        "speedup": full["macs"] / size["macs"],
    }
    return _trained(context, module, data, recipe, {}, procedure.recipe, measured, procedure.teacher)


def _measured_anew(
    measured: Mapping[str, Json], module: nn.Module, recipe: NetworkRecipe, *, dense_params: int
) -> dict[str, Json]:
    """The measurements of a network whose batch norms are back, as they are in the dense network."""
    size = sizes(module, recipe)
    found = {**measured, **size, "compression": 1 - size["params"] / dense_params}
    return {**found, "note": _noted(found)} if "asked" in found else found


def _noted(measured: Mapping[str, Json]) -> str:
    """Why the compression is not the one that was asked, now that norms count, which the widths were chosen without."""
    earlier = text(measured, "note", "")
    reason = "its batch norms are back, which the widths were chosen without" + (f" ({earlier})" if earlier else "")
    return missed(number(measured, "asked"), number(measured, "compression"), reason)


def _on_budget(procedure: ScratchTraining, *, dense_macs: int, pruned_macs: int) -> Recipe:
    """The recipe, with as many epochs as the budget allows."""
    recipe, budget = procedure.recipe, procedure.budget
    if budget is None:
        return recipe
    epochs = scratch_epochs(
        recipe.epochs,
        dense_macs=dense_macs,
        pruned_macs=pruned_macs,
        cap=budget.cap,
        fine_tuning_epochs=budget.fine_tuning_epochs,
    )
    return recipe.lasting(epochs)


def _trained(
    context: Context[TrainParams],
    module: nn.Module,
    data: ImageData,
    network: NetworkRecipe,
    masks: Mapping[str, Tensor],
    recipe: Recipe,
    measured: Mapping[str, Json],
    dense: ArtifactKey | None,
    leg: Leg | None = None,
) -> Product:
    """Train a module; the product has the measurements of the network, plus those of this training.

    Single weights that were removed stay zero, whether the module has the network's weights or fresh ones.
    """
    teacher = read_teacher(context, dense, recipe, module)
    regulariser = KeepMasked(module, masks) if masks else None
    trained = learn(context, module, data, recipe, regulariser, teacher, leg)
    objective = find_objective(context.params.objective)
    rung = {} if leg is None or leg.until is None else rung_measured(trained, recipe, objective.primary)
    return Product(
        measurements={**measured, **epochs_measured(trained), **spent_after(measured, trained, data, teacher), **rung},
        files={**network_files(network, module.state_dict(), masks), **states_beside(trained)},
        timings=trained.speed.timings(),
    )
