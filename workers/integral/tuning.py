"""Partition tuning: the nodes of every group move by gradient descent, the functions stay (INN, section 3.4)."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
from workers.deferred import Deferred
from workers.execution import check_execution
from workers.inputs import Inputs
from workers.integral.problem import Quality, TuningProblem
from workers.integral.quadrature import Quadrature
from workers.integral.variance import VarianceRepair
from workers.objectives import Objective
from workers.speed import Speed, Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedPartition:
    """The best partition on the held-out images, by `Quality.rank`; the initial one counts, too.

    Attributes:
        cells: Group name -> widths of the cells, double precision, on the CPU.
        biases: Name of the tensor -> bias of the smaller network, where biases were tuned.
        before: On the held-out images with the initial partition.
        after: At the best state.
        best_step: Number of steps before the best state; 0 is the initial one.
        speed: The speed of the steps.
    """

    cells: Mapping[str, Float[Tensor, " m"]]
    biases: Mapping[str, Float[Tensor, " m"]]
    before: Quality
    after: Quality
    best_step: int
    speed: Speed


_CHECKS = 6
"""Number of evaluations on the held-out images, evenly over the steps, besides the initial one."""


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
    evaluation_batch_size: int,
    repair: VarianceRepair | None = None,
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint,
) -> TunedPartition:
    """Tune the partition of every group in `start`.

    Args:
        module: The permuted network; not changed.
        channel_map: Its channel groups.
        start: Group name -> initial widths of the cells.
        quadrature: For the input axes.
        data: Its training split is trained on, the best step is selected on its validation split.
        recipe: The settings of the sweep file.
        objective: The loss.
        generator: On the CPU; chooses images and their order.
        device: Where to compute.
        evaluation_batch_size: Samples of a pass over the held-out images.
        repair: Of the variance, at every partition that is tried; on the device.
        should_stop: Polled per step.
        checkpoint: Resumed from, if there is one; offered after every step, and saved before stopping on request.

    Raises:
        BadInputError: The outputs do not fit the data's targets, or the networks cannot run as the recipe says there.
        BadNumericsError: The loss became NaN or infinite.
        CancelledError: `should_stop` became true.
    """
    check_execution(recipe, device)
    problem = TuningProblem(
        copy.deepcopy(module).to(device).eval(),
        channel_map,
        start,
        quadrature,
        biases=recipe.biases,
        target=recipe.target,
        distill=recipe.distill,
        objective=objective,
        how=recipe,
        repair=repair,
    )
    chosen = torch.randperm(len(data.train), generator=generator)[: recipe.samples]
    held_out = torch.randperm(len(data.validation), generator=generator)[: recipe.holdout]
    holdout = data.validation.select(held_out)
    run = _TuningRun(problem, recipe, device)
    checkpoint.resume(run.restore)
    if run.step == 0:
        run.record(problem.quality(holdout, evaluation_batch_size, device))
    stream = _endless(data.train.select(chosen), recipe.batch_size, generator, device, skip=run.step)
    interval = max(1, recipe.steps // _CHECKS)
    with run.losses:
        while run.step < recipe.steps:
            if should_stop():
                checkpoint.save(run.progress())
                raise CancelledError(f"stopped at tuning step {run.step + 1} of {recipe.steps}")
            with run.watch.running():
                with run.watch.waiting():
                    inputs, targets = next(stream)
                run.take_step(inputs, targets)
            if run.step % interval == 0 or run.step == recipe.steps:
                run.record(problem.quality(holdout, evaluation_batch_size, device))
            checkpoint.offer(run.progress)
    return run.result()


def samples_used(recipe: TuneSpec, num_images: int) -> int:
    """How many samples the steps of a tuning take, of that many training images; a pass may end in a shorter batch."""
    num_chosen = min(recipe.samples, num_images)
    passes, steps_left = divmod(recipe.steps, math.ceil(num_chosen / recipe.batch_size))
    return passes * num_chosen + steps_left * recipe.batch_size


_UNKNOWN = Quality(loss=math.inf, metrics={}, rank=(math.inf,))


class _TuningRun:
    """The state of a tuning between two steps, except the order of the images, which is drawn again on resume."""

    def __init__(self, problem: TuningProblem, recipe: TuneSpec, device: torch.device) -> None:
        self._problem, self._recipe = problem, recipe
        self.losses = Deferred[int](device, _refuse_unless_finite)
        self.watch = Stopwatch()
        self._optimizer = torch.optim.Adam(problem.free.values(), lr=recipe.learning_rate)
        self.step = 0
        self._before = self._best = _UNKNOWN
        self._best_step = 0
        self._best_state = problem.snapshot()

    def take_step(self, inputs: Inputs, targets: Tensor) -> None:
        """One optimizer step on a batch.

        Raises:
            BadInputError: The outputs do not fit the targets.
            BadNumericsError: A loss so far was NaN or infinite.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * (1 + math.cos(math.pi * self.step / self._recipe.steps)) / 2
        loss = self._problem.loss(inputs, targets, check=self.step % self.losses.every == 0)
        self.step += 1
        self.losses.add(loss, self.step)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
        self.watch.count(len(targets))

    def record(self, quality: Quality) -> None:
        """Record what the partition is worth on the held-out images; the first time that of the initial one."""
        self.losses.read()
        if self.step == 0:
            self._before = self._best = quality
        elif quality.rank < self._best.rank:
            self._best, self._best_step, self._best_state = quality, self.step, self._problem.snapshot()

    def result(self) -> TunedPartition:
        """The best recorded state."""
        cells, biases = self._best_state
        return TunedPartition(
            cells=cells,
            biases=biases,
            before=self._before,
            after=self._best,
            best_step=self._best_step,
            speed=self.watch.speed(),
        )

    def progress(self) -> Progress:
        """The current progress, for a checkpoint; no loss so far was NaN or infinite."""
        self.losses.read()
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
                "before": asdict(self._before),
                "best": asdict(self._best),
                "best_step": self._best_step,
            },
        )

    def restore(self, progress: Progress) -> None:
        """Resume from the progress of the same tuning.

        Raises:
            KeyError, TypeError, ValueError: It belongs to another tuning; nothing is changed.
        """
        tensors, record = progress.tensors, progress.record
        if record["recipe"] != self._recipe.model_dump(mode="json"):
            raise UnfitProgressError(f"it is of another recipe: {record['recipe']}")
        cells, biases = self._best_state
        check_fit("free tensors", tensors["free"], self._problem.free)
        check_fit("best cells", tensors["best cells"], cells)
        check_fit("best biases", tensors["best biases"], biases)
        step, best_step = record["step"], record["best_step"]
        before, best = (_quality(record[name]) for name in ("before", "best"))
        restore_optimizer(self._optimizer, tensors["optimizer"])  # checks before it changes anything
        with torch.no_grad():
            for name, tensor in self._problem.free.items():
                tensor.copy_(tensors["free"][name])
        self.step, self._before, self._best, self._best_step = step, before, best, best_step
        self._best_state = (
            {name: tensors["best cells"][name] for name in cells},
            {name: tensors["best biases"][name] for name in biases},
        )


def _refuse_unless_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise BadNumericsError(f"the loss is {loss} at tuning step {step}; lower tune.learning_rate")


def _quality(record: Mapping[str, Any]) -> Quality:
    return Quality(loss=record["loss"], metrics=record["metrics"], rank=tuple(record["rank"]))


def _endless(
    split: Split, batch_size: int, generator: torch.Generator, device: torch.device, *, skip: int
) -> Iterator[tuple[Inputs, Tensor]]:
    """Endless batches, shuffled anew every epoch, without the first `skip` of them, which are not read."""
    skipped = 0
    while True:
        order = torch.randperm(len(split), generator=generator)
        for indices in torch.split(order, batch_size):
            if skipped < skip:
                skipped += 1
                continue
            yield from batches(split, batch_size, order=indices, device=device)
