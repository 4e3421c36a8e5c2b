"""Loads data sets by name, and caches them for the next task of this process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import torch
from jaxtyping import Float32
from torch import Tensor

from jobs.errors import BadInputError, UnfitMachineError, nearest
from workers.data.cifar import load_cifar10, load_cifar100
from workers.data.coco import load_coco_detection
from workers.data.digits import load_digits
from workers.data.folder import load_folder
from workers.data.from_datasets import load_datasets
from workers.data.idx import load_fashion_mnist, load_mnist
from workers.data.images import ImageData, ImageStatistics, LazyInputs, LazyTensors, Split
from workers.data.own import check_filled, check_own
from workers.data.pictures import Cut, cut_anew
from workers.data.shards import load_shards
from workers.data.super_resolution import load_div2k, load_sr_folders
from workers.data.voc import load_voc_detection, load_voc_segmentation
from workers.factories import check_arguments, check_types, import_factory, running

# Two, so that a sweep over two data sets does not read both again at every task.
_CACHE_SIZE = 2

# Each takes the root and its own arguments. To add a data set, write its file and add a line here.
DATASETS: Mapping[str, Callable[..., ImageData]] = MappingProxyType(
    {
        "cifar10": load_cifar10,
        "cifar100": load_cifar100,
        "coco-detection": load_coco_detection,
        "digits": load_digits,
        "div2k": load_div2k,
        "fashion-mnist": load_fashion_mnist,
        "huggingface": load_datasets,
        "imagefolder": load_folder,
        "mnist": load_mnist,
        "sr-folders": load_sr_folders,
        "voc-detection": load_voc_detection,
        "voc-segmentation": load_voc_segmentation,
        "webdataset": load_shards,
    }
)


def load_dataset(
    name: str,
    root: str | None = None,
    *,
    normalize: ImageStatistics | None = None,
    arguments: Mapping[str, Any] | None = None,
    content: str = "",
    workers: int = 0,
) -> ImageData:
    """Read a data set, or return the cached one: the last two are cached, and must not be written to.

    Of a data set whose content has changed only the new one is kept.

    Args:
        name: A name from `DATASETS`, or the user's own factory as `package.module:callable`, which is called
            with the root and the arguments and returns an `ImageData`.
        root: The folder that holds the files; `digits` needs none.
        normalize: Mean and standard deviation per channel, subtracted and divided by. Without it images stay in [0, 1].
        arguments: Keyword arguments of the data set, for example `{"size": 224}`; plain YAML values.
        content: Names what its files and its code hold, such as their fingerprints: under another name it is read anew.
        workers: Processes that read the splits, where they are lazy; 0: none.

    Raises:
        BadInputError: The name is unknown, files are missing or damaged, or the arguments do not fit.
    """
    statistics = None if normalize is None else (tuple(map(float, normalize[0])), tuple(map(float, normalize[1])))
    try:
        serialised = json.dumps(dict(arguments or {}), sort_keys=True)
    except TypeError as error:
        raise BadInputError(f"data '{name}': arguments are {arguments}; plain values are needed: {error}") from error
    asked = (name, root, statistics, serialised)
    if asked in _cached and _cached[asked].content != content:
        del _cached[asked]  # before the new one is read: memory may not hold both
    held = _cached.pop(asked, None) or _Held(content=content, data=_load(*asked))
    _cached[asked] = held  # as the last one
    while len(_cached) > _CACHE_SIZE:
        del _cached[next(iter(_cached))]
    data = held.data
    return _with_splits(data, lambda split: replace(split, workers=workers)) if workers else data


def forget_data() -> None:
    """Drop the cached data sets of this process."""
    _cached.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A cached data set, and what names its content."""

    content: str
    data: ImageData


_Statistics: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
_cached: dict[tuple[str, str | None, _Statistics | None, str], _Held] = {}
"""By all that a data set is asked for with but its content, the last one used at the end."""


def _load(name: str, root: str | None, normalize: _Statistics | None, arguments: str) -> ImageData:
    where = f"data '{name}'"
    keywords = json.loads(arguments)
    if ":" in name:
        data = _own(name, root, keywords, where)
    elif name in DATASETS:
        factory = DATASETS[name]
        check_arguments(factory, keywords, num_positional=1, where=where)
        check_types(factory, keywords, where=where)
        data = factory(root, **keywords)
    else:
        raise BadInputError(
            f"{where}: unknown; {nearest(name, DATASETS)} Or name a factory of your own, 'package.module:callable'."
        )
    check_filled(data, where)
    if ":" in name:
        check_own(data, where)
    return data if normalize is None else _normalized(data, *normalize, where=where)


def _own(name: str, root: str | None, arguments: Mapping[str, Any], where: str) -> ImageData:
    """A data set by the user's own factory."""
    try:
        factory = import_factory(name, where=where, gives=ImageData)
        check_arguments(factory, arguments, num_positional=1, where=where)
        with running(f"in {where}"):
            data = factory(root, **arguments)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UnfitMachineError(
            f"{where}: its code opens a file that this machine lacks ({error}); name one that every worker sees, by "
            "data.root or data.arguments"
        ) from error
    if not isinstance(data, ImageData):
        raise BadInputError(f"{where}: returned {type(data).__name__}; it must return a workers.data.ImageData")
    return data


def _normalized(data: ImageData, mean: tuple[float, ...], std: tuple[float, ...], *, where: str) -> ImageData:
    if data.input_shape is None:
        raise BadInputError(f"{where}: normalize is of images, and this data gives {data.inputs}; leave it out")
    channels = data.input_shape[0]
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise BadInputError(
            f"{where}: normalize is {(mean, std)}; "
            f"{channels} means and {channels} positive standard deviations are needed"
        )
    shift, scale = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def normalized(split: Split) -> Split:
        if isinstance(split.images, tuple | Mapping):
            raise BadInputError(f"{where}: normalize is of images, and this data gives several tensors; leave it out")
        if isinstance(split.images, Tensor):
            return replace(split, images=(split.images - shift) / scale)
        return replace(split, images=_Normalized(split.images, shift, scale))

    return replace(_with_splits(data, normalized), normalized=(mean, std))


def _with_splits(data: ImageData, change: Callable[[Split], Split]) -> ImageData:
    return replace(
        data,
        train=change(data.train),
        validation=change(data.validation),
        test=change(data.test),
        test_sets={name: change(split) for name, split in data.test_sets.items()},
    )


class _Normalized:
    """Lazy images, shifted and scaled as they are read."""

    def __init__(self, images: LazyTensors | LazyInputs, shift: Tensor, scale: Tensor) -> None:
        self._images, self._shift, self._scale = images, shift, scale

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "c h w"]:
        image = self._images[index]
        if not isinstance(image, Tensor):
            raise BadInputError("normalize is of images, and the data gives several tensors a sample; leave it out")
        return (image - self._shift).div_(self._scale)

    def with_cut(self, cut: Cut) -> "_Normalized":
        """The same images, cut out of their pictures in another way."""
        return _Normalized(cast(LazyTensors, cut_anew(self._images, cut)), self._shift, self._scale)
