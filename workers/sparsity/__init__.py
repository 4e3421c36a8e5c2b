"""Sparse training: regularisers that bring units, blocks or single weights to zero, and masks that keep them there.

    regulariser = make_regulariser(SlimmingSpec(kind="slimming", strength=1e-4), model, channel_map, inputs)
    train(model, data, recipe, regulariser=regulariser, ...)

Which of them are removed is up to `criteria` and `allocation`. To add a regulariser, write its
file and a case in `making`.
"""

from workers.sparsity.magnitude import magnitude_masks, prunable_weights, removed_after
from workers.sparsity.making import make_regulariser
from workers.sparsity.masks import KeepMasked, Masks, masked

__all__ = [
    "KeepMasked",
    "Masks",
    "magnitude_masks",
    "make_regulariser",
    "masked",
    "prunable_weights",
    "removed_after",
]
