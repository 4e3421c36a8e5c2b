"""How long and how fast to train: the numbers of stochastic gradient descent and the course of its learning rate.

Knows no model and no data.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from jobs.errors import BadInputError, nearest
from workers.data.augment import AUGMENTATIONS

Schedule = Literal["step", "cosine", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Stochastic gradient descent with momentum.

    Attributes:
        epochs: Passes over the training split, at least 1.
        batch_size: Samples per step, at least 2 (batch norm cannot learn from one).
        learning_rate: The peak, above 0.
        momentum: In [0, 1).
        weight_decay: L2 penalty on every trainable parameter, at least 0.
        schedule: "step" (a tenth from half of the epochs on, a hundredth from three quarters), "cosine" (to 0)
            or "constant".
        warmup_epochs: The learning rate rises in a straight line from 0 over so many epochs, at most `epochs`.
        augment: Name of an augmentation of `workers.data.augment`.
        label_smoothing: In [0, 1).
        nesterov: Nesterov's momentum; needs momentum above 0.

    Raises:
        BadInputError: Values outside these ranges, all of them at once.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Schedule = "step"
    warmup_epochs: int = 0
    augment: str = "none"
    label_smoothing: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        schedules = get_args(Schedule)
        checks = [
            (self.epochs >= 1, f"epochs is {self.epochs}; at least 1 is needed"),
            (self.batch_size >= 2, f"batch_size is {self.batch_size}; at least 2 is needed"),
            (self.learning_rate > 0, f"learning_rate is {self.learning_rate}; it must be above 0"),
            (0 <= self.momentum < 1, f"momentum: {self.momentum} is outside [0, 1)"),
            (self.weight_decay >= 0, f"weight_decay is {self.weight_decay}; it must not be below 0"),
            (self.schedule in schedules, f"schedule '{self.schedule}': unknown; {nearest(self.schedule, schedules)}"),
            (
                0 <= self.warmup_epochs <= self.epochs,
                f"warmup_epochs: {self.warmup_epochs} is outside [0, {self.epochs}]",
            ),
            (
                self.augment in AUGMENTATIONS,
                f"augment '{self.augment}': unknown; {nearest(self.augment, AUGMENTATIONS)}",
            ),
            (0 <= self.label_smoothing < 1, f"label_smoothing: {self.label_smoothing} is outside [0, 1)"),
            (self.momentum > 0 or not self.nesterov, "nesterov needs momentum above 0"),
        ]
        problems = [problem for holds, problem in checks if not holds]
        if problems:
            raise BadInputError("\n  ".join(["recipe:", *problems]))


def learning_rate_at(recipe: Recipe, progress: float) -> float:
    """The learning rate after `progress` epochs, which need not be whole.

    Args:
        recipe: Its warm-up counts as part of its epochs; "cosine" starts after it, "step" does not shift.
        progress: In [0, epochs).
    """
    if progress < recipe.warmup_epochs:
        return recipe.learning_rate * progress / recipe.warmup_epochs
    if recipe.schedule == "cosine":
        done = (progress - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
        return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
    if recipe.schedule == "step":
        done = progress / recipe.epochs
        return recipe.learning_rate * (0.01 if done >= 0.75 else 0.1 if done >= 0.5 else 1.0)
    return recipe.learning_rate
