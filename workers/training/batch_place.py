"""The place of a batch within an update of the weights, which may take several batches. Pure."""

from dataclasses import dataclass

from jobs.spec.training import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlace:
    """A batch within its update.

    Attributes:
        weight: Its part of the update's samples, in (0, 1]; 1 where there is one batch.
        begins: Whether it is the first batch of the update.
        ends: Whether the weights are updated after it.
    """

    weight: float
    begins: bool
    ends: bool


def batch_place(recipe: Recipe, step: int, num_samples: int) -> BatchPlace | None:
    """The place of a batch; None where it is left out: a last batch of one sample, which batch norm cannot train on.

    The last update of an epoch has what is left for it.

    Args:
        recipe: Samples per batch, and batches per update.
        step: Number of the batch in the epoch, from 0.
        num_samples: Samples of the epoch.
    """
    size, several = recipe.batch_size, recipe.accumulate
    usable = num_samples - (num_samples % size == 1)
    begin, end = step * size, min((step + 1) * size, usable)
    if end <= begin:
        return None
    first, last = step // several * several * size, min((step // several + 1) * several * size, usable)
    return BatchPlace(weight=(end - begin) / (last - first), begins=begin == first, ends=end == last)
