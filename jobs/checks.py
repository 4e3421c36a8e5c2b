"""Validators for single values of a sweep file that a type cannot express; each error says what to do.

They raise pydantic errors, so that all faults of a file are reported at once. User packages are located, not imported.
"""

import importlib.util
import os
from collections.abc import Callable, Collection, Sequence, Sized
from itertools import pairwise
from typing import TypeVar

from pydantic_core import PydanticCustomError

from jobs import libraries, names
from jobs.errors import BadInputError, nearest
from jobs.imports import import_problem
from jobs.percent import to_percent
from jobs.problems import written
from jobs.weights import HubReference, is_file, is_hub

S = TypeVar("S", bound=Sized)
T = TypeVar("T")


def fault(problem: str) -> PydanticCustomError:
    """An error that `jobs.load` reports with this text."""
    return PydanticCustomError("orchard", "{problem}", {"problem": problem})


def not_empty(values: S) -> S:
    """Reject an empty list or mapping."""
    if not values:
        raise fault("is empty; give at least one")
    return values


def no_repeats(values: Sequence[T]) -> Sequence[T]:
    """Reject duplicate values."""
    repeated = sorted({str(value) for index, value in enumerate(values) if value in values[:index]})
    if repeated:
        raise fault(f"duplicate value {', '.join(repeated)}; remove one")
    return values


def increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    """Reject values that do not increase."""
    if any(low >= high for low, high in pairwise(values)):
        raise fault(f"{list(values)} do not increase; give each fraction once, in order")
    return values


def one_or_several(value: object) -> object:
    """A single value as a list of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def number(value: object) -> object:
    """Reject what is no number: of a whole number or a fraction, pydantic would say twice what is wrong."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fault(f"{written(value)} is no number; give a whole number or a fraction")
    return value


def whole_percent(compression: float) -> float:
    """Reject a compression that is not a whole percent: curves have one row per percent."""
    if abs(compression * 100 - to_percent(compression)) > 1e-9:
        raise fault(f"{compression} is not a whole percent; use steps of 0.01")
    return compression


def no_percentage(compression: object) -> object:
    """Reject a number that reads like a percentage."""
    if isinstance(compression, int | float) and 2 <= compression <= 100:
        raise fault(f"{compression} reads like a percentage; give the fraction that is removed: {compression / 100:g}")
    return compression


def absolute(location: str) -> str:
    """An absolute path with `~` expanded; URIs are returned unchanged."""
    return location if "://" in location else os.path.abspath(os.path.expanduser(location))


def known_or_own(known: Collection[str]) -> Callable[[str], str]:
    """A validator: one of `known`, or `package.module:callable` with a package that can be found."""

    def check(name: str) -> str:
        if ":" in name:
            _own(name)
        elif name not in known:
            raise fault(f"'{name}' is unknown; {nearest(name, known)} (your own is written package.module:callable)")
        return name

    return check


def network(name: str) -> str:
    """Accept a network of our zoo, `LIBRARY:NAME` or `package.module:callable`; reject all else.

    Names of timm and transformers are looked up where the network is built, since that takes torch.
    """
    library = libraries.library_of(name)
    if library is None:
        return known_or_own(names.NETWORKS)(name)
    theirs = name.partition(":")[2]
    if library == "torchvision":
        _of_torchvision(theirs)
    elif problem := import_problem(library):
        raise fault(problem)
    elif not theirs:
        raise fault(f"'{name}' names no network; write {library}:NAME")
    elif said := libraries.missing(library):
        raise fault(f"'{name}': {said}")
    return name


def _of_torchvision(name: str) -> None:
    known = (
        names.TORCHVISION_NETWORKS
        | names.TORCHVISION_SEGMENTATION
        | names.TORCHVISION_DETECTION
        | names.TORCHVISION_VIDEO
        | names.TORCHVISION_QUANTIZABLE
    )
    if name in names.TORCHVISION_REFUSED:
        raise fault(
            f"'{name}' {names.TORCHVISION_REFUSED[name]}, and detection here has boxes alone; use "
            f"{names.TORCHVISION_PREFIX}fasterrcnn_resnet50_fpn"
        )
    if name not in known:
        raise fault(f"torchvision has no network '{name}' that can be used here; {nearest(name, known)}")


def weights(location: str) -> str:
    """A word or a reference as it is, a file as an absolute location."""
    if is_hub(location):
        try:
            HubReference.parse(location)
        except BadInputError as error:
            raise fault(str(error)) from None
        if said := libraries.missing("huggingface_hub"):
            raise fault(f"'{location}': {said}")
    return absolute(location) if is_file(location) else location


def _own(name: str) -> None:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise fault(f"'{name}' is not an import path; write package.module:callable")
    if problem := import_problem(module):
        raise fault(problem)
    top = module.split(".")[0]
    if importlib.util.find_spec(top) is None:
        raise fault(f"no package '{top}' is found; run from the folder that holds it, or install it")
