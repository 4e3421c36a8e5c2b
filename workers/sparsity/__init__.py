"""Networks that become sparse: what a training does to bring units, blocks or single weights to zero, and keeps there.

    regulariser = make_regulariser({"kind": "slimming", "strength": 1e-4}, model, input_shape)
    train(model, data, recipe, regulariser=regulariser, ...)

Knows the moments of a training step; refuses to know sweeps, data, and which of the small ones are removed (`criteria`
and `allocation`). To add a regulariser, write its file and a line in `making`.
"""

from workers.sparsity.magnitude import magnitude_masks, prunable_weights, removed_after
from workers.sparsity.making import REGULARISERS, make_regulariser
from workers.sparsity.masks import KeepMasked, Masks, masked

__all__ = [
    "REGULARISERS",
    "KeepMasked",
    "Masks",
    "magnitude_masks",
    "make_regulariser",
    "masked",
    "prunable_weights",
    "removed_after",
]
