"""What a training tells of itself, epoch by epoch.

Knows no model and no place to write to.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: From 1.
        learning_rate: At the epoch's last step.
        train_loss: Mean of the minimised loss over the epoch's samples, as the weights moved.
        validation_loss: Mean cross-entropy in nats after the epoch.
        validation_accuracy: Fraction after the epoch.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """All epochs of one training, at least one."""

    epochs: tuple[EpochLog, ...]

    @property
    def last(self) -> EpochLog:
        """The epoch whose weights the model has."""
        return self.epochs[-1]

    @property
    def best(self) -> EpochLog:
        """The epoch with the highest validation accuracy; the lower loss, then the earlier epoch, decides a tie."""
        return max(self.epochs, key=lambda each: (each.validation_accuracy, -each.validation_loss))
