"""Photographs in folders as pairs of low and high resolution: patches to train on, whole images to test on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from jobs.errors import BadInputError, nearest
from workers.data.files import data_root
from workers.data.image_pairs import CACHE_FOLDER, ImagePairs, PairFiles, image_cache
from workers.data.images import ImageData, Split
from workers.data.pair_folders import PairFolders, few
from workers.data.patches import Colour, centres, patch_split, whole_images
from workers.file_cache import FileCache

_SCALES = (2, 3, 4)
_DEGRADATIONS = ("bicubic", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What both data sets have in common; see `load_sr_folders`."""

    scale: int
    patch: int
    patches: int
    colour: Colour
    enlarged: bool
    validation: int | None
    validation_crop: int | None
    seed: int

    def check(self, where: str) -> None:
        """Raise BadInputError for the first value that is not allowed."""
        if self.scale not in _SCALES:
            raise BadInputError(f"{where}: scale is {self.scale!r}; {', '.join(map(str, _SCALES))} are allowed")
        if self.colour not in get_args(Colour):
            raise BadInputError(
                f"{where}: colour '{self.colour}' is unknown; {nearest(str(self.colour), get_args(Colour))}"
            )
        if not isinstance(self.enlarged, bool):
            raise BadInputError(f"{where}: enlarged is {self.enlarged!r}; true or false is needed")
        least = {"patch": 1, "patches": 1, "validation": 1, "validation_crop": 1, "seed": 0}
        for name, minimum in least.items():
            value = getattr(self, name)
            optional = name.startswith("validation")
            if not (value is None and optional) and not (type(value) is int and value >= minimum):
                raise BadInputError(f"{where}: {name} is {value!r}; a whole number of at least {minimum} is needed")


def load_sr_folders(
    root: str | None,
    *,
    scale: int,
    train: str | Sequence[str],
    test: Mapping[str, str],
    low: Mapping[str, str] | None = None,
    patch: int = 48,
    patches: int = 16_000,
    colour: Colour = "rgb",
    enlarged: bool = False,
    validation: int | None = None,
    validation_crop: int | None = None,
    seed: int = 0,
) -> ImageData:
    """Folders of high-resolution images, such as T91, Set5, Set14, B100 and Urban100.

    High-resolution images are cut at the right and the bottom to a multiple of the scale. The low-resolution ones are
    made from them as MATLAB's bicubic `imresize` does it (`workers.data.resize`), unless `low` names a folder of them.
    Grey images are read as RGB with equal channels, alpha is left out, 16 bits per channel are refused.

    Args:
        root: The folder that holds all others.
        scale: How many times larger the high-resolution images are: 2, 3 or 4.
        train: A folder of high-resolution images below the root, or several; images are in the order of folders and
            names.
        test: From the name of a test set, which its metrics have, to its folder; for example
            `{"set5": "Set5", "b100": "BSD/B100"}`.
        low: From a folder of high-resolution images to that of its low-resolution ones, of any degradation:
            `{"Set5": "Set5_LR/X4"}`. For NAME.png it holds NAMEx4.png (at scale 4) or NAME.png.
        patch: Side of the training patches as the network sees them, in pixels; its targets are `scale` times larger
            unless `enlarged`.
        patches: Training patches per epoch: the length of the training split.
        colour: `rgb`, or `luma` (one channel) for inputs and targets.
        enlarged: Networks get images that were enlarged to the size of the targets, bicubic, as SRCNN does.
        validation: How many of the last training images are for validation; default: a tenth, at least one.
        validation_crop: Of these take the square in the middle, of this side in pixels of the network's input; default:
            whole images.
        seed: Of the places of the patches.

    Raises:
        BadInputError: A value is not allowed, a folder is missing or empty, or an image is too small, lacks its
            low-resolution image, or has one of another scale.
    """
    options = _Options(
        scale=scale,
        patch=patch,
        patches=patches,
        colour=colour,
        enlarged=enlarged,
        validation=validation,
        validation_crop=validation_crop,
        seed=seed,
    )
    folders = [train] if isinstance(train, str) else train
    return _load("sr-folders", root, folders, test, low or {}, options)


def load_div2k(
    root: str | None,
    *,
    scale: int,
    degradation: str | None = "bicubic",
    test: Mapping[str, str] | None = None,
    low: Mapping[str, str] | None = None,
    patch: int = 48,
    patches: int = 16_000,
    colour: Colour = "rgb",
    enlarged: bool = False,
    validation: int | None = None,
    validation_crop: int | None = None,
    seed: int = 0,
) -> ImageData:
    """DIV2K as its archives unpack: DIV2K_train_HR, DIV2K_valid_HR (test set `div2k`), DIV2K_train_LR_bicubic/X4, ...

    Args:
        root: The folder that holds these.
        scale: How many times larger the high-resolution images are: 2, 3 or 4.
        degradation: Of the low-resolution images: `bicubic` or `unknown`; None: they are made here, anti-aliased
            bicubic.
        test: Further test sets, as in `load_sr_folders`.
        low: Further folders of low-resolution images, as in `load_sr_folders`.
        patch: As in `load_sr_folders`, and so are all others.
        patches: See there.
        colour: See there.
        enlarged: See there.
        validation: See there.
        validation_crop: See there.
        seed: See there.

    Raises:
        BadInputError: As in `load_sr_folders`, or the degradation is unknown.
    """
    if degradation is not None and degradation not in _DEGRADATIONS:
        known = f"{nearest(str(degradation), _DEGRADATIONS)} Or none (null): low resolution is made here."
        raise BadInputError(f"data 'div2k': degradation '{degradation}' is unknown; {known}")
    options = _Options(
        scale=scale,
        patch=patch,
        patches=patches,
        colour=colour,
        enlarged=enlarged,
        validation=validation,
        validation_crop=validation_crop,
        seed=seed,
    )
    train, valid = "DIV2K_train_HR", "DIV2K_valid_HR"
    theirs = {
        folder: folder.replace("HR", f"LR_{degradation}/X{scale}")
        for folder in (train, valid)
        if degradation is not None
    }
    return _load("div2k", root, [train], {"div2k": valid, **(test or {})}, {**theirs, **(low or {})}, options)


def _load(
    name: str,
    root: str | None,
    train: Sequence[str],
    test: Mapping[str, str],
    low: Mapping[str, str],
    options: _Options,
) -> ImageData:
    where = f"data '{name}'"
    options.check(where)
    _check_folders(where, train, test, low)
    folders = PairFolders(where=where, root=data_root(name, root), low=low, scale=options.scale)
    training = folders.pairs(train)
    tests = {each: folders.pairs([folder]) for each, folder in test.items()}
    cache = image_cache()
    if cache is not None and cache.folder.resolve().is_relative_to(folders.root.resolve()):
        raise BadInputError(
            f"{where}: decoded images would lie below the root, in {cache.folder}, and change the data's fingerprint; "
            f"set {CACHE_FOLDER} to another folder"
        )
    return _assembled(where, training, tests, options, cache)


def _assembled(
    where: str,
    training: Sequence[PairFiles],
    tests: Mapping[str, Sequence[PairFiles]],
    options: _Options,
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
    validation = whole(training[-kept:])
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


def _check_folders(where: str, train: Sequence[str], test: Mapping[str, str], low: Mapping[str, str]) -> None:
    for argument, value in {"test": test, "low": low}.items():
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in (*value, *value.values())):
            raise BadInputError(f"{where}: {argument} is {value!r}; a mapping of names to folders is needed")
    if not train or not all(isinstance(each, str) for each in train):
        raise BadInputError(f"{where}: train is {train!r}; a folder of images or a list of them is needed")
    if not test:
        raise BadInputError(f"{where}: test names no folder; at least one test set is needed, such as set5: Set5")
    for name in test:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise BadInputError(
                f"{where}: test set '{name}' gives metrics their names; letters, digits, '-', '_' and '.' are allowed"
            )
    if unused := set(low) - {*train, *test.values()}:
        raise BadInputError(
            f"{where}: low names {', '.join(sorted(unused))}, which is neither in train nor in test; "
            f"write it as there: {nearest(min(unused), [*train, *test.values()])}"
        )


def _check_sizes(where: str, argument: str, pairs: ImagePairs, side: int) -> None:
    small = [index for index in range(len(pairs)) if min(pairs.input_size(index)) < side]
    if small:
        sizes = few(f"{pairs.name(index)} ({' x '.join(map(str, pairs.input_size(index)))})" for index in small)
        raise BadInputError(
            f"{where}: {argument} is {side} pixels, but these images are smaller as the network sees them: {sizes}; "
            f"make {argument} smaller or remove them"
        )
