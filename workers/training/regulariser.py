"""What a training does to the weights besides following the gradient of its loss: the moments at which it may.

Knows no penalty and no network: those are `sparsity`'s. Refuses to be told which moments are used; each does nothing
unless it is overridden.
"""

from collections.abc import Mapping

from torch import Tensor


class Regulariser:
    """Acts on the weights of one model at fixed moments of its training; this one leaves them alone."""

    def before_step(self) -> None:
        """Gradients are there and the optimizer has not used them yet."""

    def after_step(self, learning_rate: float) -> None:
        """The optimizer has moved the weights.

        Args:
            learning_rate: Of that step.
        """

    def after_epoch(self) -> None:
        """All batches of an epoch were taken, and it is not judged yet.

        A training that goes on from a checkpoint may repeat the call; the second must then change nothing.
        """

    def after_training(self) -> None:
        """The last epoch is over; the model has to be left as an ordinary one of its kind that computes the same."""

    def tensors(self) -> Mapping[str, Tensor]:
        """What it remembers from step to step, besides the model's own tensors; restored by copying into them."""
        return {}
