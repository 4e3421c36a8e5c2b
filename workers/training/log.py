"""What a training tells of itself, epoch by epoch.

Knows no place to write to and no test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: Of the schedule, from 1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training gives besides the model, which has the last epoch's weights.

    Attributes:
        log: Its epochs.
        best: The state, as `state_dict` names it, that the model had after the best epoch.
    """

    log: TrainingLog
    best: Mapping[str, Tensor]
