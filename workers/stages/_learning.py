"""Shared by all stages that train: the training loop with the task's recipe, and its measurements."""

import logging
from collections.abc import Mapping

from torch import nn

from jobs.identity import Json
from jobs.measured import count, number
from jobs.spec.training import Recipe
from jobs.stages.training import TrainParams
from workers.data import ImageData
from workers.objectives import find_objective
from workers.stages._base import Context
from workers.training import Regulariser, Trained, train, training_macs

COST = ("training_epochs", "training_macs")
"""The training cost in measurements, summed over all tasks from the model's own weights to a point."""

_log = logging.getLogger("orchard")


def learn(
    context: Context[TrainParams],
    module: nn.Module,
    data: ImageData,
    recipe: Recipe,
    regulariser: Regulariser | None = None,
) -> Trained:
    """Train in place; the batches follow from the task's seed."""
    return train(
        module,
        data,
        recipe,
        find_objective(context.params.objective),
        generator=context.generator("batches"),
        device=context.device,
        should_stop=context.should_stop,
        report=lambda epoch, values: _log.info("epoch %d: %s", epoch, values),
        checkpoint=context.checkpoint,
        regulariser=regulariser,
    )


def epochs_measured(trained: Trained) -> dict[str, Json]:
    """Measurements of the `last` and the `best` epoch."""
    epochs = {"last": trained.log.last, "best": trained.log.best}
    return {name: {"epoch": each.epoch, **each.numbers()} for name, each in epochs.items()}


def spent(*measured: Mapping[str, Json]) -> dict[str, Json]:
    """The training cost in the measurements of artifacts, summed; empty without training."""
    return {
        name: sum(number(each, name, 0) for each in measured) for name in COST if any(name in each for each in measured)
    }


def spent_after(measured: Mapping[str, Json], recipe: Recipe, data: ImageData) -> dict[str, Json]:
    """The training cost after a further training: the earlier cost plus that of this training.

    Args:
        measured: Measurements of the network: its `macs` and its training cost.
        recipe: Recipe of this training.
        data: The data set, of which the training split is used.
    """
    own = training_macs(count(measured, "macs"), len(data.train) * recipe.epochs_trained)
    return spent(measured, {"training_epochs": recipe.epochs_trained, "training_macs": own})
