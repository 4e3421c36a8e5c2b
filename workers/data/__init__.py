"""From a data set's name to images with targets in three splits.

Knows file formats; knows no network, and never fetches anything: a data root is handed in.
"""

from workers.data.augment import augmentation
from workers.data.images import ImageData, LazyTensors, Split, batches, hide
from workers.data.load import forget_data, load_dataset

__all__ = ["ImageData", "LazyTensors", "Split", "augmentation", "batches", "forget_data", "hide", "load_dataset"]
