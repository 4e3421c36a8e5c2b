"""Gradient steps of a training: from a batch to its loss, and from the gradients of an update to new weights."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from workers.distillation import Teacher
from workers.inputs import Inputs, call
from workers.objectives import Objective
from workers.parallel import ALONE, Processes, Share
from workers.training.batch_place import BatchPlace
from workers.training.schedule import learning_rate_at
from workers.training.state import TrainingState


class GradientSteps:
    """Takes the steps of one training.

    Args:
        state: The state that the training begins in, or goes on from; updated with every step.
        runner: What is called in the place of its model.
        objective: The objective.
        teacher: The dense network that the model is distilled from; None without distillation.
        processes: The processes that take them together.
    """

    def __init__(
        self,
        state: TrainingState,
        runner: nn.Module,
        objective: Objective,
        teacher: Teacher | None = None,
        *,
        processes: Processes = ALONE,
    ) -> None:
        self.state, self.runner, self.objective, self.processes = state, runner, objective, processes
        self._teacher = teacher
        self._first_epoch = state.epoch
        self._learnt = state.learnt()

    def take(self, inputs: Inputs, targets: Shaped[Tensor, "n ..."], place: BatchPlace, share: Share) -> None:
        """Add a batch's gradient, and update the weights where it is the last of an update.

        Args:
            inputs: This process's share of the batch, on the device, augmented.
            targets: Its targets.
            place: The place of the batch in the update.
            share: The share.

        Raises:
            BadInputError: The outputs do not fit the targets.
            BadNumericsError: A loss so far was NaN or infinite.
        """
        state = self.state
        if place.begins:
            state.set_learning_rate(learning_rate_at(state.recipe, state.epoch - 1 + state.step / state.num_steps))
            state.optimizer.zero_grad()
        with self.processes.norms(share):
            loss = _times(self._loss(inputs, targets), share.factor)
            torch.autograd.backward(state.scaler.scale(_times(loss, place.weight)))
        loss = self.processes.average(self._learnt, loss)
        state.losses.add(loss, (share.samples, state.next_batch))
        if place.ends:
            self._update()

    def _loss(self, inputs: Inputs, targets: Shaped[Tensor, "n ..."]) -> Float[Tensor, ""]:
        run = partial(call, self.runner, self.objective.inputs(inputs, targets))
        loss = partial(self._loss_on, targets)
        return loss(run()) if self._teacher is None else self._teacher.loss(inputs, run, loss)

    def _loss_on(self, targets: Shaped[Tensor, "n ..."], outputs: Any) -> Float[Tensor, ""]:
        if self._checks():
            self.objective.check(outputs, targets)
        return self.objective.loss(outputs, targets, **self.state.recipe.loss_settings)

    def _checks(self) -> bool:
        """Whether to check a batch. That waits for a GPU: there only in the first epoch, and now and then after it."""
        return self.state.epoch == self._first_epoch or self.state.step % self.state.losses.every == 0

    def _update(self) -> None:
        state = self.state
        state.scaler.unscale_(state.optimizer)
        state.regulariser.before_step()
        if state.recipe.clip_gradients is not None:
            parameters = [each for group in state.optimizer.param_groups for each in group["params"]]
            nn.utils.clip_grad_norm_(parameters, state.recipe.clip_gradients)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.regulariser.after_step(state.learning_rate)
        if state.average is not None:
            state.average.update()


def _times(loss: Float[Tensor, ""], factor: float) -> Float[Tensor, ""]:
    return loss if factor == 1 else loss * factor
