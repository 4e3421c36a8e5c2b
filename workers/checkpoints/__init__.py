"""Checkpoints: the progress of a long computation, saved periodically so that an interruption costs little.

Independent of the computation and of the place where checkpoints are kept.
"""

from workers.checkpoints.checkpoint import INTERVAL_S, Checkpoint
from workers.checkpoints.optimizers import optimizer_tensors, restore_optimizer
from workers.checkpoints.progress import Progress, UnfitProgressError, check_fit, decode, encode

__all__ = [
    "INTERVAL_S",
    "Checkpoint",
    "Progress",
    "UnfitProgressError",
    "check_fit",
    "decode",
    "encode",
    "optimizer_tensors",
    "restore_optimizer",
]
