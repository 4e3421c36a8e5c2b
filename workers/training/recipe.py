"""How long and how fast to train: the numbers of stochastic gradient descent and the course of its learning rate.

Knows no model and no data.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal, get_args

from jobs.errors import BadInputError, nearest
from jobs.identity import Json
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
        schedule: "step" (a tenth of what it was, at each milestone), "cosine" (to 0) or "constant".
        milestones: Of "step": rising fractions of the epochs, in (0, 1).
        warmup_epochs: The learning rate rises in a straight line from 0 over so many epochs, at most `epochs`.
        augment: Name of an augmentation of `workers.data.augment`.
        label_smoothing: In [0, 1).
        nesterov: Nesterov's momentum; needs momentum above 0.
        begin: Epochs of the schedule that are left out at its beginning.
        until: The epoch that is the last one, above `begin`; None for the schedule's own.

    Raises:
        BadInputError: Values outside these ranges, all of them at once.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Schedule = "step"
    milestones: tuple[float, ...] = (0.5, 0.75)
    warmup_epochs: int = 0
    augment: str = "none"
    label_smoothing: float = 0.0
    nesterov: bool = False
    begin: int = 0
    until: int | None = None

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
                all(low < high for low, high in pairwise((0.0, *self.milestones, 1.0))),
                f"milestones: {list(self.milestones)}; fractions of the epochs that rise within (0, 1) are needed",
            ),
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
            (
                self.epochs < 1 or 0 <= self.begin < self.last_epoch <= self.epochs,
                f"begin {self.begin} and until {self.until} leave no epoch of {self.epochs}",
            ),
        ]
        problems = [problem for holds, problem in checks if not holds]
        if problems:
            raise BadInputError("\n  ".join(["recipe:", *problems]))

    @property
    def last_epoch(self) -> int:
        """The epoch after which the training ends."""
        return self.epochs if self.until is None else self.until

    @property
    def epochs_trained(self) -> int:
        """How many epochs of the schedule are trained."""
        return self.last_epoch - self.begin

    def to_json(self) -> dict[str, Json]:
        """The recipe as JSON."""
        return {**asdict(self), "milestones": list(self.milestones)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Recipe":
        """The recipe that `to_json` wrote; fields that are left out have their defaults.

        Raises:
            BadInputError: A value is out of its range.
        """
        milestones = {"milestones": tuple(value["milestones"])} if "milestones" in value else {}
        return cls(**{**value, **milestones})


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
        passed = sum(progress / recipe.epochs >= milestone for milestone in recipe.milestones)
        return recipe.learning_rate * 10.0**-passed
    return recipe.learning_rate
