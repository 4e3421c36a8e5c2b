"""The interface of regularisers: hooks of the training loop, each of which does nothing unless overridden.

The regularisers are in `sparsity`.
"""

from collections.abc import Mapping

from torch import Tensor


class Regulariser:
    """Hooks on the weights of one model during its training; these do nothing."""

    def before_training(self, num_steps: int) -> None:
        """Called before the first batch, also where a training is resumed.

        Args:
            num_steps: Optimizer steps of the whole training, at least.
        """

    def before_step(self) -> None:
        """Called between the backward pass and the optimizer step."""

    def after_step(self, learning_rate: float) -> None:
        """Called after the optimizer step.

        Args:
            learning_rate: Learning rate of that step.
        """

    def after_epoch(self) -> None:
        """Called after the batches of an epoch, before its evaluation.

        A training resumed from a checkpoint may repeat the call; it must be idempotent.
        """

    def after_training(self) -> None:
        """Called after the last epoch.

        Has to leave an ordinary model that computes the same, but for the channels that pruning is to remove.
        """

    def learnt(self) -> Mapping[str, Tensor]:
        """Tensors besides the model's parameters that gradients reach, under names that no parameter has."""
        return {}

    def tensors(self) -> Mapping[str, Tensor]:
        """Its state, besides the model's own tensors; restored by copying into them."""
        return {}
