"""Validators for single values of a sweep file that a type cannot express; each error says what to do.

They raise pydantic errors, so that all faults of a file are reported at once. User packages are located, not imported.
"""

import importlib.util
import os
from collections.abc import Callable, Collection, Sequence, Sized
from typing import TypeVar

from pydantic_core import PydanticCustomError

from jobs import names
from jobs.errors import nearest
from jobs.percent import to_percent

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


def one_or_several(value: object) -> object:
    """A single value as a list of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def whole_percent(compression: float) -> float:
    """Reject a compression that is not a whole percent: curves have one row per percent."""
    if abs(compression * 100 - to_percent(compression)) > 1e-9:
        raise fault(f"{compression} is not a whole percent; use steps of 0.01")
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
    """Accept a network of our zoo, `torchvision:NAME` or `package.module:callable`; reject all else."""
    if not name.startswith(names.TORCHVISION_PREFIX):
        return known_or_own(names.NETWORKS)(name)
    known = names.TORCHVISION_NETWORKS | names.TORCHVISION_SEGMENTATION | names.TORCHVISION_DETECTION
    theirs = name.removeprefix(names.TORCHVISION_PREFIX)
    if theirs in names.TORCHVISION_REFUSED:
        raise fault(
            f"'{theirs}' {names.TORCHVISION_REFUSED[theirs]}, and detection here has boxes alone; use "
            f"{names.TORCHVISION_PREFIX}fasterrcnn_resnet50_fpn"
        )
    if theirs not in known:
        raise fault(f"torchvision has no network '{theirs}' that can be used here; {nearest(theirs, known)}")
    return name


def _own(name: str) -> None:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise fault(f"'{name}' is not an import path; write package.module:callable")
    top = module.split(".")[0]
    if importlib.util.find_spec(top) is None:
        raise fault(f"no package '{top}' is found; run from the folder that holds it, or install it")
