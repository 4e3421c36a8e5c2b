"""The 1,797 handwritten digits that scikit-learn ships: 8 x 8 pixels, one channel, no download."""

import numpy as np
import torch

from workers.data.images import ImageData, Split

# Part of the data set's definition: another seed makes another data set.
_SPLIT_SEED = 0
_NUM_TRAIN, _NUM_VALIDATION = 1_000, 200


def load_digits(root: str | None = None) -> ImageData:
    """1,000 images to train on, 200 to validate, 597 to test, each with the classes in proportion.

    Args:
        root: Not used; here because every data set takes one.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """
    import sklearn.datasets  # takes seconds to import, and no other data set needs it

    del root
    bunch = sklearn.datasets.load_digits()
    images = torch.from_numpy(bunch.images.astype(np.float32) / 16).unsqueeze(1)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    whole = Split(images=images, targets=labels)
    train, validation, test = torch.tensor_split(_stratified_order(labels), (_NUM_TRAIN, _NUM_TRAIN + _NUM_VALIDATION))
    return ImageData(
        train=whole.select(train),
        validation=whole.select(validation),
        test=whole.select(test),
        num_classes=10,
        input_shape=(1, 8, 8),
    )


def _stratified_order(labels: torch.Tensor) -> torch.Tensor:
    """A fixed shuffled order of which every stretch has the classes in proportion, to within about one image.

    The k-th of a class's n images, in shuffled order, goes to position (k + 1/2) / n of the whole.
    """
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    position = torch.empty(len(labels), dtype=torch.float64)
    for label in torch.unique(labels):
        members = (labels == label).nonzero().flatten()
        shuffled = members[torch.randperm(len(members), generator=generator)]
        position[shuffled] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return position.argsort(stable=True)
