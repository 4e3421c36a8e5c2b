"""The log of a training, epoch by epoch. No test split."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from jobs.metric import Metric
from jobs.spec.execution import Precision
from workers.speed import Speed


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: Number of the epoch in the schedule, from 1.
        learning_rate: Learning rate of the epoch's last step.
        train_loss: Mean of the minimised loss over the epoch's samples, while the weights changed.
        validation_loss: Mean loss after the epoch, without training settings such as label smoothing.
        validation: Name of a metric -> its value on the validation split after the epoch.
        average: The same with the moving average of the weights; empty without one.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation: Mapping[str, float]
    average: Mapping[str, float] = field(default_factory=dict)

    def numbers(self) -> dict[str, float]:
        """All values but the epoch's number, by name; a metric's name has the prefix `validation_`.

        With the moving average of the weights it has the suffix `_ema`, too.
        """
        return {
            "learning_rate": self.learning_rate,
            "train_loss": self.train_loss,
            "validation_loss": self.validation_loss,
            **{f"validation_{name}": value for name, value in self.validation.items()},
            **{f"validation_{name}_ema": value for name, value in self.average.items()},
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
        """The last epoch."""
        return self.epochs[-1]

    @property
    def best(self) -> EpochLog:
        """The epoch that is best by the primary metric; the lower loss, then the earlier epoch, decides a tie.

        Epochs in which either is NaN come after those in which it is not.
        """
        name = self.primary.name
        return min(self.epochs, key=lambda each: self._rank(each.validation[name], each.validation_loss))

    def _rank(self, value: float, loss: float) -> tuple[bool, float, bool, float]:
        unknown = math.isnan(loss)
        return math.isnan(value), self.primary.cost(value), unknown, math.inf if unknown else loss

    @property
    def epochs_in_vain(self) -> int:
        """How many epochs there are since the primary metric improved last; NaN is no improvement."""
        costs = [self.primary.cost(each.validation[self.primary.name]) for each in self.epochs]
        return len(costs) - 1 - costs.index(min(costs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The result of a training besides the model, which has the weights that the recipe keeps.

    Attributes:
        log: Its epochs.
        best: The model's `state_dict` after the best epoch.
        average: The moving average of the `state_dict`; None without one.
        precision: What the model computed in.
        speed: How quick it was in this process.
        epochs: Epochs so far, those before a pause included; after a pause within one, with a part of it.
        paused: At a pause, the encoded progress to go on from; else None.
    """

    log: TrainingLog
    best: Mapping[str, Tensor]
    average: Mapping[str, Tensor] | None
    precision: Precision
    speed: Speed
    epochs: int | float
    paused: bytes | None = None
