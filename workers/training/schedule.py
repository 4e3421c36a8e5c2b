"""Learning rate schedules."""

import math

from jobs.spec.training import Recipe

_POWER = 0.9
"""Of the polynomial decay, as in DeepLab (Chen et al. 2017, arXiv:1706.05587, section 4.1)."""

_RISE, _START, _END = 0.3, 1 / 25, 1 / 250_000
"""Of one cycle: the part of the epochs in which the rate rises, and where it begins and ends, as fractions of the
largest; those of torch's `OneCycleLR`, after Smith and Topin 2018 (arXiv:1708.07120)."""


def learning_rate_at(recipe: Recipe, progress: float) -> float:
    """The learning rate after `progress` epochs, which need not be whole.

    Args:
        recipe: Its warm-up is part of its epochs; "cosine", "poly" and "linear" start after it, "step" does not shift.
        progress: Epochs so far, in [0, epochs).
    """
    if progress < recipe.warmup_epochs:
        return recipe.learning_rate * progress / recipe.warmup_epochs
    done = (progress - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    match recipe.schedule:
        case "cosine":
            return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
        case "poly":
            return recipe.learning_rate * math.pow(1 - done, _POWER)
        case "linear":
            return recipe.learning_rate * (1 - done)
        case "one-cycle":
            return recipe.learning_rate * _cycle(done)
        case "step":
            passed = sum(progress / recipe.epochs >= milestone for milestone in recipe.milestones)
            return recipe.learning_rate * 10.0**-passed
        case "constant":
            return recipe.learning_rate


def _cycle(done: float) -> float:
    """The rate as a fraction of the largest: up, and down to less than it began with, each along half a cosine."""
    if done < _RISE:
        return _between(_START, 1.0, done / _RISE)
    return _between(1.0, _END, (done - _RISE) / (1 - _RISE))


def _between(first: float, last: float, done: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2
