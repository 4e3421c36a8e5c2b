"""The training loop that every protocol shares: epochs of gradient steps, each evaluated on the validation split.

The generator, the objective, the checkpoint and the log are parameters; the test split is not read.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.spec.training import Recipe
from workers.checkpoints import Checkpoint
from workers.data.feed import Feed
from workers.data.images import ImageData
from workers.factories import check_arguments
from workers.inputs import Inputs, call
from workers.measure.evaluation import Evaluation, evaluate
from workers.models.modes import in_mode
from workers.objectives import Objective
from workers.training.log import EpochLog, Trained
from workers.training.regulariser import Regulariser
from workers.training.schedule import learning_rate_at
from workers.training.state import TrainingState

_ADVICE = "lower learning_rate or set warmup_epochs, and check that the data and the starting weights are finite"


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
    checkpoint: Checkpoint,
    regulariser: Regulariser | None = None,
) -> Trained:
    """Train a network in place; its weights are the last epoch's. Those of the best epoch are returned.

    The same generator state gives the same weights on a CPU with the same number of threads, also if the training was
    interrupted and resumed from its checkpoint.

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
        checkpoint: Resumed from, if there is one; offered after every batch, and saved before stopping on request.
        regulariser: Regulariser of this model, on `device`. Default: none.

    Raises:
        BadInputError: Nothing can be trained, the recipe does not suit the objective, or the outputs do not fit the
            data's targets.
        BadNumericsError: The loss became NaN or infinite.
        CancelledError: `should_stop` returned true; the weights are those of the last step.
    """
    _check_recipe(recipe, objective)
    model.to(device)
    optimizer = make_optimizer(model, recipe)
    feed = Feed(data.train, objective.pipeline(recipe.augment, data), device=device)
    with _global_draws_from(generator, device) as drawn_from:
        generators = {"batches": generator, **drawn_from}
        state = TrainingState(
            model, optimizer, recipe, generators, len(data.train), regulariser or Regulariser(), objective.primary
        )
        checkpoint.resume(state.restore)
        try:
            while state.epoch <= recipe.last_epoch:
                train_loss = train_epoch(state, feed, objective, should_stop=should_stop, checkpoint=checkpoint)
                state.regulariser.after_epoch()
                evaluation = evaluate(model, data.validation, objective, device=device, should_stop=should_stop)
                log = _epoch_log(state, train_loss, evaluation)
                report(state.epoch, log.numbers())
                state.finish_epoch(log)
        except CancelledError:
            checkpoint.save(state.progress())
            raise
    state.regulariser.after_training()
    return Trained(log=state.log, best=state.best)


def _epoch_log(state: TrainingState, train_loss: float, evaluation: Evaluation) -> EpochLog:
    return EpochLog(
        epoch=state.epoch,
        learning_rate=state.learning_rate,
        train_loss=train_loss,
        validation_loss=evaluation.loss,
        validation=evaluation.metrics,
    )


def _check_recipe(recipe: Recipe, objective: Objective) -> None:
    """Raise BadInputError for settings of a recipe that the objective does not accept."""
    where = f"objective '{objective.name}'"
    check_arguments(objective.loss, {"reduction": "mean", **recipe.loss_settings}, num_positional=2, where=where)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Gradient descent over the parameters that have `requires_grad`.

    Raises:
        BadInputError: There are none.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise BadInputError("train: the network has no trainable parameter; set requires_grad on those to train")
    if recipe.optimizer == "adam":
        return torch.optim.Adam(trainable, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(
        trainable,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


def train_epoch(
    state: TrainingState,
    feed: Feed,
    objective: Objective,
    *,
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> float:
    """Train on the remaining batches of the state's epoch, a gradient step each; arguments and errors as of `train`.

    A last batch of one sample is left out: batch norm cannot train on it.

    Args:
        state: It is updated with every batch.
        feed: The training split, at least two samples, on the model's device.
        objective: The objective.
        should_stop: Asked before every batch.
        checkpoint: Offered after every batch.

    Returns:
        The mean of the minimised loss over the epoch's samples.
    """
    if len(feed) < 2:
        raise BadInputError(f"train: {len(feed)} training images; at least two are needed")
    batch_size = state.recipe.batch_size
    num_steps = math.ceil(len(feed) / batch_size)
    rest = feed.order(state.order())[state.step * batch_size :]
    with in_mode(state.model, training=True):
        for inputs, targets in feed.batches(rest, batch_size, seed=state.reading_seed()):
            where = f"epoch {state.epoch}, step {state.step + 1} of {num_steps}"
            if should_stop():
                raise CancelledError(f"training stopped on request at {where}")
            if len(targets) > 1:
                state.set_learning_rate(learning_rate_at(state.recipe, state.epoch - 1 + state.step / num_steps))
                _take_step(state, objective, *feed.augment(inputs, targets, state.generators["batches"]), where)
            state.step += 1
            checkpoint.offer(state.progress)
    return state.total / state.seen


def _take_step(
    state: TrainingState,
    objective: Objective,
    inputs: Inputs,
    targets: Shaped[Tensor, "n ..."],
    where: str,
) -> None:
    outputs = call(state.model, objective.inputs(inputs, targets))
    objective.check(outputs, targets)
    loss = objective.loss(outputs, targets, **state.recipe.loss_settings)
    value = loss.item()
    if not math.isfinite(value):
        raise BadNumericsError(f"training: the loss is {value} at {where}; {_ADVICE}")
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.regulariser.before_step()
    state.optimizer.step()
    state.regulariser.after_step(state.learning_rate)
    state.total += value * len(targets)
    state.seen += len(targets)


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
