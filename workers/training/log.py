"""The log of a training, epoch by epoch. No test split."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from jobs.metric import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: Number of the epoch in the schedule, from 1.
        learning_rate: Learning rate of the epoch's last step.
        train_loss: Mean of the minimised loss over the epoch's samples, while the weights changed.
        validation_loss: Mean loss after the epoch, without training settings such as label smoothing.
        validation: Name of a metric -> its value on the validation split after the epoch.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation: Mapping[str, float]

    def numbers(self) -> dict[str, float]:
        """All values but the epoch's number, by name; a metric's name has the prefix `validation_`."""
        return {
            "learning_rate": self.learning_rate,
            "train_loss": self.train_loss,
            "validation_loss": self.validation_loss,
            **{f"validation_{name}": value for name, value in self.validation.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """All epochs of one training, at least one.

    Attributes:
        epochs: Epochs in order.
        primary: The metric that selects the best epoch.
    """

    epochs: tuple[EpochLog, ...]
    primary: Metric

    @property
    def last(self) -> EpochLog:
        """The epoch whose weights the model has."""
        return self.epochs[-1]

    @property
    def best(self) -> EpochLog:
        """The epoch that is best by the primary metric; the lower loss, then the earlier epoch, decides a tie."""
        return min(
            self.epochs,
            key=lambda each: (self.primary.cost(each.validation[self.primary.name]), each.validation_loss),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The result of a training besides the model, which has the last epoch's weights.

    Attributes:
        log: Its epochs.
        best: The model's `state_dict` after the best epoch.
    """

    log: TrainingLog
    best: Mapping[str, Tensor]
