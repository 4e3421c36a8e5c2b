"""Photographs in folders as pairs of low and high resolution: patches to train on, whole images to test on.

High-resolution images are cut at the right and the bottom to a multiple of the scale. Low-resolution ones are made from
them as MATLAB's bicubic `imresize` does it (`workers.data.resize`), unless there is a folder of them. Grey images are
read as RGB with equal channels, alpha is left out, and 16 bits per channel are refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import BadInputError
from workers.data.files import data_root
from workers.data.image_pairs import CACHE_FOLDER, ImagePairs, PairFiles, image_cache
from workers.data.images import ImageData, Split
from workers.data.pair_folders import PairFolders, few
from workers.data.pair_options import Div2kOptions, FolderOptions, PairOptions, parse_options
from workers.data.patches import centres, patch_split, whole_images
from workers.file_cache import FileCache


def load_sr_folders(root: str | None, **arguments: Any) -> ImageData:
    """Folders of high-resolution images, such as T91, Set5, Set14, B100 and Urban100.

    Args:
        root: The folder that holds all others.
        **arguments: Those of `FolderOptions`. Test sets come in the order given; from a sweep file, in that of names.

    Raises:
        BadInputError: A value is not allowed, a folder is missing or empty, or an image is too small, lacks its
            low-resolution image, or has one of another scale.
    """
    return _load("sr-folders", root, parse_options(FolderOptions, arguments, where="data 'sr-folders'"))


def load_div2k(root: str | None, **arguments: Any) -> ImageData:
    """DIV2K as its archives unpack: DIV2K_train_HR, DIV2K_valid_HR (test set `div2k`), DIV2K_train_LR_bicubic/X4, ...

    Args:
        root: The folder that holds these.
        **arguments: Those of `Div2kOptions`.

    Raises:
        BadInputError: As in `load_sr_folders`.
    """
    return _load("div2k", root, parse_options(Div2kOptions, arguments, where="data 'div2k'"))


def _load(name: str, root: str | None, options: PairOptions) -> ImageData:
    where = f"data '{name}'"
    train, test, low = options.folders()
    folders = PairFolders(where=where, root=data_root(name, root), low=low, scale=options.scale)
    cache = image_cache()
    if cache is not None and cache.folder.resolve().is_relative_to(folders.root.resolve()):
        raise BadInputError(
            f"{where}: decoded images would lie below the root, in {cache.folder}, and change the data's fingerprint; "
            f"set {CACHE_FOLDER} to another folder"
        )
    training = folders.pairs(train)
    tests = {name: folders.pairs([folder]) for name, folder in test.items()}
    return _assembled(where, training, tests, options, cache)


def _assembled(
    where: str,
    training: Sequence[PairFiles],
    tests: Mapping[str, Sequence[PairFiles]],
    options: PairOptions,
    cache: FileCache | None,
) -> ImageData:
    kept = max(1, len(training) // 10) if options.validation is None else options.validation
    if kept >= len(training):
        raise BadInputError(
            f"{where}: validation is {kept} of {len(training)} training images; at least one has to be left to train on"
        )

    def pairs(files: Sequence[PairFiles]) -> ImagePairs:
        return ImagePairs(files, scale=options.scale, enlarged=options.enlarged, cache=cache)

    def whole(files: Sequence[PairFiles]) -> Split:
        return whole_images(pairs(files), colour=options.colour)

    first, last = pairs(training[:-kept]), pairs(training[-kept:])
    _check_sizes(where, "patch", first, options.patch)
    validation = whole_images(last, colour=options.colour)
    if options.validation_crop is not None:
        _check_sizes(where, "validation_crop", last, options.validation_crop)
        validation = centres(last, side=options.validation_crop, colour=options.colour)
    return ImageData(
        train=patch_split(first, side=options.patch, count=options.patches, seed=options.seed, colour=options.colour),
        validation=validation,
        test=whole([pair for files in tests.values() for pair in files]),
        test_sets={name: whole(files) for name, files in tests.items()},
        input_shape=(1 if options.colour == "luma" else 3, options.patch, options.patch),
    )


def _check_sizes(where: str, argument: str, pairs: ImagePairs, side: int) -> None:
    small = [index for index in range(len(pairs)) if min(pairs.input_size(index)) < side]
    if small:
        sizes = few(f"{pairs.name(index)} ({' x '.join(map(str, pairs.input_size(index)))})" for index in small)
        raise BadInputError(
            f"{where}: {argument} is {side} pixels, but these images are smaller as the network sees them: {sizes}; "
            f"make {argument} smaller or remove them"
        )
