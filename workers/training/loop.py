"""The training loop that every protocol shares: epochs of gradient steps, each judged on the validation split.

It refuses to know seeds (a generator is handed in), checkpoints and where the log goes; the test split is not read.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from workers.data.augment import augmentation
from workers.data.images import ImageData, Split, batches
from workers.measure.accuracy import check_logits, evaluate
from workers.models.modes import in_mode
from workers.training.log import EpochLog, TrainingLog
from workers.training.recipe import Recipe, learning_rate_at

_ADVICE = "lower learning_rate or set warmup_epochs, and check that the data and the starting weights are finite"


def train(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    device: torch.device | str,
    should_stop: Callable[[], bool],
    report: Callable[[int, dict[str, float]], None],
) -> TrainingLog:
    """Train a classifier in place; its weights are the last epoch's.

    The same generator state gives the same weights on a CPU with the same number of threads.

    Args:
        model: From images to logits; moved to `device`, where it stays. Train/eval flags are restored.
        data: Its train and validation splits are read.
        recipe: How.
        generator: On the CPU; order, augmentation and dropout come from it. The global one is left as it was.
        device: Where to compute.
        should_stop: Asked before every batch.
        report: Called after each epoch with its number, from 1, and train_loss, validation_loss,
            validation_accuracy and learning_rate.

    Raises:
        BadInputError: Nothing can be trained, or the outputs are no logits for the data's labels.
        BadNumericsError: The loss became NaN or infinite.
        CancelledError: `should_stop` said so; the weights are those of that moment.
    """
    model.to(device)
    optimizer = make_optimizer(model, recipe)
    epochs: list[EpochLog] = []
    with _global_draws_from(generator, device):
        for epoch in range(1, recipe.epochs + 1):
            train_loss = train_epoch(
                model,
                data.train,
                recipe,
                optimizer,
                epoch=epoch,
                generator=generator,
                device=device,
                should_stop=should_stop,
            )
            scores = evaluate(model, data.validation, device=device, should_stop=should_stop)
            metrics = {
                "learning_rate": float(optimizer.param_groups[0]["lr"]),
                "train_loss": train_loss,
                "validation_loss": scores.loss,
                "validation_accuracy": scores.accuracy,
            }
            epochs.append(EpochLog(epoch=epoch, **metrics))
            report(epoch, metrics)
    return TrainingLog(epochs=tuple(epochs))


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Gradient descent over the parameters that have `requires_grad`.

    Raises:
        BadInputError: There are none.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise BadInputError("train: the network has no trainable parameter; set requires_grad on those to be learnt")
    return torch.optim.SGD(
        trainable,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )


def train_epoch(
    model: nn.Module,
    split: Split,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    *,
    epoch: int,
    generator: torch.Generator,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> float:
    """Pass once over a split, a gradient step per batch; arguments and errors are those of `train`.

    A last batch of one sample is left out: batch norm cannot learn from it.

    Args:
        model: Already on `device`.
        split: What is trained on, at least two samples.
        recipe: Gives each step its learning rate.
        optimizer: Of the model's parameters.
        epoch: From 1: where in the recipe this pass is.
        generator: On the CPU.
        device: Where to compute.
        should_stop: Asked before every batch.

    Returns:
        The mean over the samples of what was minimised.
    """
    if len(split) < 2:
        raise BadInputError(f"train: {len(split)} training images; at least two are needed")
    num_steps = math.ceil(len(split) / recipe.batch_size)
    total, seen = 0.0, 0
    with in_mode(model, training=True):
        for step, (images, labels) in enumerate(batches(split, recipe.batch_size, generator=generator, device=device)):
            where = f"epoch {epoch}, step {step + 1} of {num_steps}"
            if should_stop():
                raise CancelledError(f"training stopped on request at {where}")
            if len(labels) == 1:
                continue
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(recipe, epoch - 1 + step / num_steps)
            loss = _training_loss(model, images, labels, recipe, generator)
            if not math.isfinite(loss.item()):
                raise BadNumericsError(f"training: the loss is {loss.item()} at {where}; {_ADVICE}")
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.item() * len(labels)
            seen += len(labels)
    return total / seen


def _training_loss(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    recipe: Recipe,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    logits = model(augmentation(recipe.augment)(images, generator))
    check_logits(logits, labels)
    return functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)


@contextmanager
def _global_draws_from(generator: torch.Generator, device: torch.device | str) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, by `generator`; put them back at the end."""
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    used = torch.device(device)
    on_cuda = used.type == "cuda"
    index = used.index if used.index is not None else torch.cuda.current_device() if on_cuda else 0
    with torch.random.fork_rng(devices=[index] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
