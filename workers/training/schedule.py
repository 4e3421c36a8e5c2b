"""Learning rate schedules."""

import math

from jobs.spec.training import Recipe

_POWER = 0.9
"""Of the polynomial decay, as in DeepLab (Chen et al. 2017, arXiv:1706.05587, section 4.1)."""


def learning_rate_at(recipe: Recipe, progress: float) -> float:
    """The learning rate after `progress` epochs, which need not be whole.

    Args:
        recipe: Its warm-up is part of its epochs; "cosine" and "poly" start after it, "step" does not shift.
        progress: Epochs so far, in [0, epochs).
    """
    if progress < recipe.warmup_epochs:
        return recipe.learning_rate * progress / recipe.warmup_epochs
    if recipe.schedule == "cosine":
        done = (progress - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
        return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
    if recipe.schedule == "poly":
        done = (progress - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
        return recipe.learning_rate * math.pow(1 - done, _POWER)
    if recipe.schedule == "step":
        passed = sum(progress / recipe.epochs >= milestone for milestone in recipe.milestones)
        return recipe.learning_rate * 10.0**-passed
    return recipe.learning_rate
