"""Loads a data set by name as images with targets in three splits.

Reads files below a data root that the caller gives; nothing is downloaded.
"""

from workers.data.augment import Augmentation
from workers.data.images import ImageData, LazyInputs, LazyTensors, Split, batches, hide
from workers.data.load import forget_data, load_dataset
from workers.data.torch_datasets import from_torch

__all__ = [
    "Augmentation",
    "ImageData",
    "LazyInputs",
    "LazyTensors",
    "Split",
    "batches",
    "forget_data",
    "from_torch",
    "hide",
    "load_dataset",
]
