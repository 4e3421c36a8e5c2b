"""The training loop that every protocol shares: epochs of gradient steps, each evaluated on the validation split.

The generator, the objective, the checkpoint and the log are parameters; the test split is not read.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.spec.training import Recipe
from workers.checkpoints import Checkpoint, decode, encode
from workers.data.feed import Feed
from workers.data.images import ImageData, Split
from workers.distillation import Teacher
from workers.execution import check_execution, in_memory_format, running
from workers.factories import check_arguments
from workers.inputs import Inputs
from workers.measure.evaluation import Evaluation, evaluate
from workers.models.modes import in_mode
from workers.objectives import Objective
from workers.parallel import ALONE, Processes
from workers.speed import Stopwatch
from workers.training.average import put
from workers.training.batch_place import batch_place
from workers.training.log import EpochLog, Trained, TrainingLog
from workers.training.optimizers import make_optimizer
from workers.training.regulariser import Regulariser
from workers.training.state import TrainingState
from workers.training.step import GradientSteps


def train(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    objective: Objective,
    *,
    generator: torch.Generator,
    device: torch.device | str,
    should_stop: Callable[[], bool],
    report: Callable[[int, dict[str, float]], None],
    evaluation_batch_size: int,
    checkpoint: Checkpoint,
    regulariser: Regulariser | None = None,
    teacher: Teacher | None = None,
    processes: Processes = ALONE,
    until: float | None = None,
    start: bytes | None = None,
) -> Trained:
    """Train a network in place; its weights are those that the recipe keeps. Those of the best epoch are returned.

    A training that pauses and goes on gives the weights of one that does not. At a pause it is evaluated; where that is
    within an epoch, this counts as the end of it, for the log and for the best weights that are returned.

    The same generator state gives the same weights on a CPU with the same number of threads, also if the training was
    interrupted and resumed from its checkpoint. Several processes, each of which calls this with the same arguments,
    give the same weights to rounding, but for dropout, whose draws are their own, and losses that are no mean over
    samples.

    Args:
        model: From inputs to outputs; moved to `device`, where it stays. Train/eval flags are restored.
        data: Its train and validation splits are read.
        recipe: The recipe.
        objective: The objective.
        generator: On the CPU; source of order, augmentation and dropout. The global generators are restored.
        device: Where to compute.
        should_stop: Asked before every batch.
        report: Called after each epoch with its number in the schedule, from 1, and learning_rate, train_loss,
            validation_loss and the objective's metrics as `validation_NAME`.
        evaluation_batch_size: Samples of a pass over the validation split.
        checkpoint: Resumed from, if there is one; offered after every batch, and saved before stopping on request.
        regulariser: Regulariser of this model, on `device`. Default: none.
        teacher: The dense network that the model is distilled from, on `device`. Default: none.
        processes: The processes that train together. The first one loads checkpoints, and evaluates.
        until: Fraction of the steps after which to pause. Default: not before the end.
        start: The encoded progress at an earlier pause, to go on from. Default: from the beginning.

    Raises:
        BadInputError: Nothing can be trained, or nothing before or after the pause; the recipe does not suit the
            objective or the device, or the outputs do not fit the data's targets.
        BadNumericsError: The loss became NaN or infinite, or the primary metric is NaN after every epoch.
        CancelledError: `should_stop` returned true; the weights are those of the last step.
    """
    _check_recipe(recipe, objective, device, processes)
    model.to(device)
    watch = Stopwatch()
    with in_memory_format(model, recipe), _global_draws_from(generator, device) as drawn_from:
        optimizer = make_optimizer(model, recipe)
        generators = {"batches": generator, **drawn_from}
        regulariser = regulariser or Regulariser()
        state = TrainingState(
            model, optimizer, recipe, generators, len(data.train), regulariser, objective.primary, device
        )
        regulariser.before_training(state.goal(None) // recipe.accumulate)
        if start is not None:
            state.restore(decode(start))
        goal = state.goal(until)
        checkpoint.resume(state.restore, agree=processes.agreed)
        processes.draw_apart(drawn_from.values())
        feed = Feed(data.train, objective.pipeline(recipe.augment, data), device=device, taken=processes.taken)
        steps = GradientSteps(state, running(model, recipe), objective, teacher, processes=processes)
        evaluated = partial(_evaluated, steps, data.validation, evaluation_batch_size, device, should_stop)
        epochs, paused = state.epochs_done, None
        try:
            while not state.ended and (state.step or state.steps_done < goal):
                last = min(state.num_steps, state.step + goal - state.steps_done)
                train_epoch(steps, feed, should_stop=should_stop, checkpoint=checkpoint, watch=watch, last=last)
                epochs = state.epochs_done
                if last < state.num_steps:
                    paused = encode(state.progress())  # of an epoch that has not ended
                else:
                    regulariser.after_epoch()
                log = processes.agreed(evaluated)
                report(state.epoch, log.numbers())
                state.finish_epoch(log)
            if until is not None:
                paused = paused or encode(state.progress())
        except CancelledError:
            checkpoint.save(state.progress())
            raise
    _check_best(state.log)
    regulariser.after_training()
    average = None if state.average is None else state.average.tensors
    kept = {"last": None, "best": state.best, "ema": average}[recipe.keep]
    if kept is not None:
        put(model, kept)
    return Trained(
        log=state.log,
        best=state.best,
        average=average,
        precision=recipe.precision,
        speed=watch.speed(teacher_s=None if teacher is None else teacher.seconds),
        epochs=epochs,
        paused=paused,
    )


def _evaluated(
    steps: GradientSteps,
    validation: Split,
    batch_size: int,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> EpochLog:
    """The state's epoch, evaluated with the model as it runs in training, and with the average of its weights."""
    state = steps.state

    def evaluated() -> Evaluation:
        return evaluate(
            steps.runner,
            validation,
            steps.objective,
            batch_size=batch_size,
            device=device,
            should_stop=should_stop,
        )

    evaluation = evaluated()
    average: Mapping[str, float] = {}
    if state.average is not None:
        with state.average.in_use():
            average = evaluated().metrics
    return EpochLog(
        epoch=state.epoch,
        learning_rate=state.learning_rate,
        train_loss=state.total / state.seen,
        validation_loss=evaluation.loss,
        validation=evaluation.metrics,
        average=average,
    )


def _check_best(log: TrainingLog) -> None:
    """Raise BadNumericsError where the primary metric tells nothing of any epoch."""
    name = log.primary.name
    if math.isnan(log.best.validation[name]):
        raise BadNumericsError(
            f"training: {name}, by which the best epoch is chosen, is NaN on the validation split after every epoch, "
            f"{log.epochs[0].epoch} to {log.last.epoch}; give more validation data, or another metric first"
        )


def _check_recipe(recipe: Recipe, objective: Objective, device: torch.device | str, processes: Processes) -> None:
    """Raise BadInputError for settings of a recipe that the objective, the device or the processes do not accept."""
    if recipe.compile and processes.size > 1:
        raise BadInputError(
            f"train: compile is for one process, and {processes.size} train together; set compile: false, or one GPU "
            "and one process in resources.train"
        )
    check_execution(recipe, device)
    where = f"objective '{objective.name}'"
    check_arguments(objective.loss, {"reduction": "mean", **recipe.loss_settings}, num_positional=2, where=where)


def train_epoch(
    steps: GradientSteps,
    feed: Feed,
    *,
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint,
    watch: Stopwatch,
    last: int | None = None,
) -> None:
    """Train on the remaining batches of the state's epoch, a gradient step each; arguments and errors as of `train`.

    A last batch of one sample is left out: batch norm cannot train on it.

    Args:
        steps: Takes the steps; its state is updated with every batch.
        feed: The training split, at least two samples, on the model's device.
        should_stop: Asked before every batch.
        checkpoint: Offered after every batch.
        watch: Measures the speed.
        last: The batch, from 1, after which to end; None: that of the epoch.
    """
    if len(feed) < 2:
        raise BadInputError(f"train: {len(feed)} training images; at least two are needed")
    state, processes = steps.state, steps.processes
    batch_size = state.recipe.batch_size
    end = None if last is None else last * batch_size
    rest = feed.order(state.order())[state.step * batch_size : end]
    with watch.running(), in_mode(steps.runner, training=True), state.losses:
        for inputs, targets in _waited_for(feed.batches(rest, batch_size, seed=state.reading_seed()), watch):
            if should_stop():
                raise CancelledError(f"training stopped on request at {state.next_batch}")
            place = batch_place(state.recipe, state.step, len(feed))
            if place is not None:
                share = processes.share(min(batch_size, len(feed) - state.step * batch_size))
                steps.take(*feed.augment(inputs, targets, state.generators["batches"]), place, share)
                watch.count(share.samples)
            state.step += 1
            checkpoint.offer(state.progress)


def _waited_for(batches: Iterator[tuple[Inputs, Tensor]], watch: Stopwatch) -> Iterator[tuple[Inputs, Tensor]]:
    """The batches; waiting for them is measured."""
    while True:
        with watch.waiting():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def _global_draws_from(
    generator: torch.Generator, device: torch.device | str
) -> Iterator[Mapping[str, torch.Generator]]:
    """Seed torch's global generators, which dropout uses, by `generator`; restore them at the end.

    Yields:
        Those generators, by the kind of their device.
    """
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    used = torch.device(device)
    on_cuda = used.type == "cuda"
    index = used.index if used.index is not None else torch.cuda.current_device() if on_cuda else 0
    with torch.random.fork_rng(devices=[index] if on_cuda else []):
        used_generators = {"cpu": torch.default_generator}
        if on_cuda:
            used_generators["cuda"] = torch.cuda.default_generators[index]
        for each in used_generators.values():
            each.manual_seed(seed)
        yield used_generators
