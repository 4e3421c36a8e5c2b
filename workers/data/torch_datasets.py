"""Data sets of torch that are read one by one: any map-style `Dataset` that gives pairs of an image and a target."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.files import every_tenth
from workers.data.images import ImageData, Split
from workers.data.own import check_pairs
from workers.factories import running


@runtime_checkable
class Pairs(Protocol):
    """A map-style dataset of torch: samples by number, each an image and a target."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int, /) -> Iterable[Any]:
        """One of them, a pair."""
        ...


def from_torch(
    *, train: Pairs, test: Pairs, validation: Pairs | None = None, num_classes: int | None = None
) -> ImageData:
    """A data set of torch's map-style datasets, read sample by sample.

    Images may be pictures of Pillow, arrays (height, width, channels) or tensors (channels, height, width); of bytes
    they become floating point in [0, 1], tensors of floating point stay as they are. All training images have the shape
    of the first one. Targets become tensors.

    Args:
        train: Training samples.
        test: Those that the reported metrics are of.
        validation: Those that epochs and partitions are chosen by. Default: every tenth one of the training samples.
        num_classes: Where targets are classes, these are in [0, num_classes).

    Raises:
        BadInputError: There is no training sample, or one of the three is no map-style dataset, or its first sample no
            pair of what is read as an image and as a target.
    """
    for name, dataset in {"train": train, "validation": validation, "test": test}.items():
        if dataset is not None:
            check_pairs(name, dataset)
    if not len(train):
        raise BadInputError("the training dataset is empty; give at least two samples")
    training = _split("train", train)
    splits = every_tenth(training) if validation is None else (training, _split("validation", validation))
    first = splits[0].sample(0)[0]
    assert isinstance(first, Tensor)  # as all images are here, of three axes
    channels, height, width = first.shape
    return ImageData(
        train=splits[0],
        validation=splits[1],
        test=_split("test", test),
        num_classes=num_classes,
        input_shape=(channels, height, width),
    )


def _split(name: str, dataset: Pairs) -> Split:
    samples = _Samples(_Named(name, dataset))
    return Split(images=_Images(samples), targets=_Targets(samples))


class _Named:
    """A dataset, of which what is raised for a sample says which sample of which dataset that is."""

    def __init__(self, name: str, dataset: Pairs) -> None:
        self._dataset, self._name = dataset, f"{name} ({type(dataset).__module__}.{type(dataset).__qualname__})"

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int, /) -> Iterable[Any]:
        with running(f"in sample {index} of {self._name}"):
            return self._dataset[index]


class _Samples:
    """The samples of a dataset, each read anew, since it may draw at random.

    Image and target are asked for apart: after an image its target is kept, and given away once.
    """

    def __init__(self, dataset: Pairs) -> None:
        self.dataset = dataset
        self._kept: tuple[int, Any] | None = None

    def image(self, index: int) -> Any:
        """The image of a sample."""
        image, target = self._read(index)
        self._kept = index, target
        return image

    def target(self, index: int) -> Any:
        """The target of a sample: that of the image before, if it is of the same one."""
        kept, self._kept = self._kept, None  # read once, since threads may share this
        return kept[1] if kept is not None and kept[0] == index else self._read(index)[1]

    def _read(self, index: int) -> tuple[Any, Any]:
        sample = self.dataset[index]
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise BadInputError(
                f"sample {index} of the dataset is a {type(sample).__name__}; give a pair: an image and its target"
            )
        return sample[0], sample[1]


class _Images:
    """The images of samples: floating point, in [0, 1] where they are pictures or bytes."""

    def __init__(self, samples: _Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples.dataset)

    def __getitem__(self, index: int, /) -> Tensor:
        image = self._samples.image(index)
        if isinstance(image, Tensor) and image.is_floating_point():
            return image
        from torchvision.transforms.v2 import functional  # it takes seconds to be imported

        picture = image if isinstance(image, Tensor) else functional.to_image(image)
        scaled: Tensor = functional.to_dtype(picture, torch.float32, scale=True)
        return scaled.as_subclass(Tensor)


class _Targets:
    """The targets of samples, as tensors."""

    def __init__(self, samples: _Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples.dataset)

    def __getitem__(self, index: int, /) -> Tensor:
        return torch.as_tensor(self._samples.target(index))
