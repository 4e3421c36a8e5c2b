"""From a data set's name to labelled images in three splits.

Knows file formats; knows no network, and never fetches anything: a data root is handed in.
"""

from workers.data.augment import augmentation
from workers.data.images import ImageData, LazyImages, Split, batches
from workers.data.load import forget_data, load_dataset

__all__ = ["ImageData", "LazyImages", "Split", "augmentation", "batches", "forget_data", "load_dataset"]
