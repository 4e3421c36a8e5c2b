"""How far a long computation has come, kept now and then so that a loss costs little.

Knows neither what is computed nor where a checkpoint is kept.
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
