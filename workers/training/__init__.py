"""Training: the loop, its state, schedules and regularisers. Independent of pruning, tasks and the store."""

from workers.training.budget import scratch_epochs, training_macs
from workers.training.log import EpochLog, Trained, TrainingLog
from workers.training.loop import train, train_epoch
from workers.training.regulariser import Regulariser
from workers.training.schedule import learning_rate_at
from workers.training.state import TrainingState

__all__ = [
    "EpochLog",
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
