"""Partition tuning: the nodes of every group move by gradient descent, the functions stay (INN, section 3.4).

Knows a network, its channel groups, images and an objective; knows no store and no seed.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadNumericsError, CancelledError
from jobs.spec.integral import TuneSpec
from workers.channels import ChannelMap
from workers.checkpoints import (
    Checkpoint,
    Progress,
    UnfitProgressError,
    check_fit,
    optimizer_tensors,
    restore_optimizer,
)
from workers.data import ImageData, Split, batches
from workers.integral.problem import TuningProblem
from workers.integral.quadrature import Quadrature
from workers.objectives import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedPartition:
    """The best state that was seen; the start counts, so it is never worse than that on the held-out images.

    Attributes:
        cells: Group name -> widths of the cells, double precision, on the CPU.
        biases: Name of the tensor -> bias of the smaller network, where biases were tuned.
        loss_before: Loss on the held-out images with the partition that it started from.
        loss_after: The same at the best state.
        best_step: After how many steps the best state was; 0 is the start.
    """

    cells: Mapping[str, Float[Tensor, " m"]]
    biases: Mapping[str, Float[Tensor, " m"]]
    loss_before: float
    loss_after: float
    best_step: int


_CHECKS = 6
"""How often, evenly over the steps, the held-out images are asked; the start is asked besides."""


def tune_partition(
    module: nn.Module,
    channel_map: ChannelMap,
    start: Mapping[str, Float[Tensor, " m"]],
    quadrature: Quadrature,
    data: ImageData,
    recipe: TuneSpec,
    objective: Objective,
    *,
    generator: torch.Generator,
    device: torch.device,
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> TunedPartition:
    """Tune the partition of every group that `start` names.

    Args:
        module: The permuted network; left as it is.
        channel_map: Its channel groups.
        start: Group name -> widths of the cells to start from.
        quadrature: For the input axes.
        data: Its training split is learnt from, its validation split chooses.
        recipe: How.
        objective: What the network is for.
        generator: On the CPU; chooses images and their order.
        device: Where to compute.
        should_stop: Polled per step.
        checkpoint: Continued from, if it has anything; offered the moment after every step, and made before stopping
            on request.

    Raises:
        BadInputError: The outputs do not fit the data's targets.
        BadNumericsError: The loss became NaN or infinite.
        CancelledError: `should_stop` became true.
    """
    problem = TuningProblem(
        copy.deepcopy(module).to(device).eval(),
        channel_map,
        start,
        quadrature,
        biases=recipe.biases,
        target=recipe.target,
        objective=objective,
    )
    chosen = torch.randperm(len(data.train), generator=generator)[: recipe.samples]
    held_out = torch.randperm(len(data.validation), generator=generator)[: recipe.holdout]
    holdout = data.validation.select(held_out)
    course = _Course(problem, recipe)
    checkpoint.resume(course.restore)
    if course.step == 0:
        course.judge(problem.mean_loss(holdout, device))
    stream = _endless(data.train.select(chosen), recipe.batch_size, generator, device, skip=course.step)
    interval = max(1, recipe.steps // _CHECKS)
    while course.step < recipe.steps:
        if should_stop():
            checkpoint.save(course.progress())
            raise CancelledError(f"stopped at tuning step {course.step + 1} of {recipe.steps}")
        course.take_step(*next(stream))
        if course.step % interval == 0 or course.step == recipe.steps:
            course.judge(problem.mean_loss(holdout, device))
        checkpoint.offer(course.progress)
    return course.result()


class _Course:
    """A tuning between two steps: all that its next step depends on but the images, whose order is drawn anew."""

    def __init__(self, problem: TuningProblem, recipe: TuneSpec) -> None:
        self._problem, self._recipe = problem, recipe
        self._optimizer = torch.optim.Adam(problem.free.values(), lr=recipe.learning_rate)
        self.step = 0
        self._loss_before = self._best = math.inf
        self._best_step = 0
        self._best_state = problem.snapshot()

    def take_step(self, images: Tensor, targets: Tensor) -> None:
        """Move what is free down the gradient of a batch."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * (1 + math.cos(math.pi * self.step / self._recipe.steps)) / 2
        self.step += 1
        loss = self._problem.loss(images, targets)
        if not math.isfinite(loss.item()):
            raise BadNumericsError(f"the loss is {loss.item()} at tuning step {self.step}; lower tune.learning_rate")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()

    def judge(self, held: float) -> None:
        """Take note of the loss on the held-out images; the first is that of the start."""
        if self.step == 0:
            self._loss_before = self._best = held
        elif held < self._best:
            self._best, self._best_step, self._best_state = held, self.step, self._problem.snapshot()

    def result(self) -> TunedPartition:
        """The best of what was judged."""
        cells, biases = self._best_state
        return TunedPartition(
            cells=cells,
            biases=biases,
            loss_before=self._loss_before,
            loss_after=self._best,
            best_step=self._best_step,
        )

    def progress(self) -> Progress:
        """This moment."""
        cells, biases = self._best_state
        return Progress(
            where=f"tuning step {self.step} of {self._recipe.steps}",
            tensors={
                "free": self._problem.free,
                "optimizer": optimizer_tensors(self._optimizer),
                "best cells": cells,
                "best biases": biases,
            },
            record={
                "recipe": self._recipe.model_dump(mode="json"),
                "step": self.step,
                "loss_before": self._loss_before,
                "best": self._best,
                "best_step": self._best_step,
            },
        )

    def restore(self, progress: Progress) -> None:
        """Go back to a moment of the same tuning.

        Raises:
            KeyError, TypeError, ValueError: It is of another one; nothing is changed.
        """
        tensors, record = progress.tensors, progress.record
        if record["recipe"] != self._recipe.model_dump(mode="json"):
            raise UnfitProgressError(f"it is of another recipe: {record['recipe']}")
        cells, biases = self._best_state
        check_fit("free tensors", tensors["free"], self._problem.free)
        check_fit("best cells", tensors["best cells"], cells)
        check_fit("best biases", tensors["best biases"], biases)
        step, losses = record["step"], (record["loss_before"], record["best"])
        best_step = record["best_step"]
        restore_optimizer(self._optimizer, tensors["optimizer"])  # checks before it changes anything
        with torch.no_grad():
            for name, tensor in self._problem.free.items():
                tensor.copy_(tensors["free"][name])
        self.step, (self._loss_before, self._best), self._best_step = step, losses, best_step
        self._best_state = (
            {name: tensors["best cells"][name] for name in cells},
            {name: tensors["best biases"][name] for name in biases},
        )


def _endless(
    split: Split, batch_size: int, generator: torch.Generator, device: torch.device, *, skip: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in ever new orders, without the first `skip` of them, which are not read."""
    skipped = 0
    while True:
        order = torch.randperm(len(split), generator=generator)
        for indices in torch.split(order, batch_size):
            if skipped < skip:
                skipped += 1
                continue
            yield from batches(split, batch_size, order=indices, device=device)
