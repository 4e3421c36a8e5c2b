"""How weights are learnt: recipes and the loop that follows them.

Knows models and data; knows nothing of pruning, of tasks or of where a log is kept.
"""

from workers.training.budget import scratch_epochs, training_macs
from workers.training.log import EpochLog, Trained, TrainingLog
from workers.training.loop import train, train_epoch
from workers.training.recipe import Recipe, learning_rate_at
from workers.training.regulariser import Regulariser
from workers.training.state import TrainingState

__all__ = [
    "EpochLog",
    "Recipe",
    "Regulariser",
    "Trained",
    "TrainingLog",
    "TrainingState",
    "learning_rate_at",
    "scratch_epochs",
    "train",
    "train_epoch",
    "training_macs",
]
