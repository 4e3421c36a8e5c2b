"""Shared by all stages that train: the training loop with the task's recipe, and its measurements."""

import logging
import math
from collections.abc import Mapping

from torch import nn

from jobs.identity import Json
from jobs.measured import count, number
from jobs.spec.training import Recipe
from jobs.stages.training import Leg, TrainParams
from workers.artifacts import AVERAGE_FILE, BEST_FILE, PAUSED_FILE
from workers.data import ImageData
from workers.network import state_bytes
from workers.objectives import find_objective
from workers.stages._base import Context
from workers.stages._teaching import DenseTeacher
from workers.training import EpochLog, Regulariser, Trained, train, training_macs

COST = ("training_epochs", "training_macs")
"""The training cost in measurements, summed over all tasks from the model's own weights to a point."""

_log = logging.getLogger("orchard")


def learn(
    context: Context[TrainParams],
    module: nn.Module,
    data: ImageData,
    recipe: Recipe,
    regulariser: Regulariser | None = None,
    teacher: DenseTeacher | None = None,
    leg: Leg | None = None,
) -> Trained:
    """Train in place, in all processes of the task; the batches follow from its seed. Epochs and speed are logged.

    A leg of a training in a race goes on from the one before, up to its rung.
    """
    start = context.artifacts.read(leg.start, PAUSED_FILE) if leg is not None and leg.start is not None else None
    with context.together() as processes:
        trained = train(
            module,
            data,
            recipe,
            find_objective(context.params.objective),
            generator=context.generator("batches"),
            device=context.device,
            should_stop=context.should_stop,
            report=lambda epoch, values: _log.info("epoch %d: %s", epoch, values),
            evaluation_batch_size=context.task.locations.evaluation_batch_size,
            checkpoint=context.checkpoint,
            regulariser=regulariser,
            processes=processes,
            teacher=None if teacher is None else teacher.teacher,
            until=None if leg is None else leg.until,
            start=start,
        )
    _log.info("trained in %s: %s", trained.precision, trained.speed.timings())
    return trained


def epochs_measured(trained: Trained) -> dict[str, Json]:
    """Measurements of the `last` and the `best` epoch, and the `precision` of the training.

    What of an epoch is NaN or infinite is left out.
    """
    measured = {name: _finite(each) for name, each in {"last": trained.log.last, "best": trained.log.best}.items()}
    return {**measured, "precision": trained.precision}


def _finite(epoch: EpochLog) -> dict[str, Json]:
    return {"epoch": epoch.epoch, **{name: value for name, value in epoch.numbers().items() if math.isfinite(value)}}


def states_beside(trained: Trained) -> dict[str, bytes]:
    """The files beside the weights: those of the best epoch, their average, and what a paused training goes on from."""
    average = {} if trained.average is None else {AVERAGE_FILE: state_bytes(trained.average)}
    paused = {} if trained.paused is None else {PAUSED_FILE: trained.paused}
    return {BEST_FILE: state_bytes(trained.best), **average, **paused}


def spent(*measured: Mapping[str, Json]) -> dict[str, Json]:
    """The training cost in the measurements of artifacts, summed; empty without training."""
    return {
        name: sum(number(each, name, 0) for each in measured) for name in COST if any(name in each for each in measured)
    }


def spent_after(
    measured: Mapping[str, Json], trained: Trained, data: ImageData, teacher: DenseTeacher | None = None
) -> dict[str, Json]:
    """The training cost after a further training: the earlier cost plus that of this training.

    Args:
        measured: Measurements of the network: its `macs` and its training cost.
        trained: This training.
        data: The data set, of which the training split is used.
        teacher: The dense network that it learnt from, whose passes count, too.
    """
    samples = round(len(data.train) * trained.epochs)
    macs = training_macs(count(measured, "macs"), samples) + (teacher.macs * samples if teacher else 0)
    return spent(measured, {"training_epochs": trained.epochs, "training_macs": macs})
