"""Checks on single values of a sweep file that a type cannot express; each error says what to do.

They raise what pydantic collects, so that all faults of a file are reported at once. Nothing is imported and
nothing is read: only whether a package of that name can be found.
"""

import importlib.util
import os
from collections.abc import Callable, Collection, Sequence, Sized
from typing import TypeVar

from pydantic_core import PydanticCustomError

from jobs import names
from jobs.errors import nearest

S = TypeVar("S", bound=Sized)
T = TypeVar("T")


def fault(problem: str) -> PydanticCustomError:
    """An error that `jobs.load` reports in these words."""
    return PydanticCustomError("orchard", "{problem}", {"problem": problem})


def not_empty(values: S) -> S:
    """Refuse a list or mapping without entries."""
    if not values:
        raise fault("is empty; give at least one")
    return values


def no_repeats(values: Sequence[T]) -> Sequence[T]:
    """Refuse a value that stands twice."""
    repeated = sorted({str(value) for index, value in enumerate(values) if value in values[:index]})
    if repeated:
        raise fault(f"{', '.join(repeated)} stands there twice; remove one")
    return values


def whole_percent(compression: float) -> float:
    """Refuse a compression that is no whole percent: curves have one row per percent."""
    if abs(compression * 100 - round(compression * 100)) > 1e-9:
        raise fault(f"{compression} is no whole percent; ask in steps of 0.01")
    return compression


def absolute(location: str) -> str:
    """A path as every process of this machine understands it: `~` expanded, absolute; other URIs as they are."""
    return location if "://" in location else os.path.abspath(os.path.expanduser(location))


def known_or_own(known: Collection[str]) -> Callable[[str], str]:
    """A check: one of `known`, or `package.module:callable` with a package that can be found."""

    def check(name: str) -> str:
        if ":" in name:
            _own(name)
        elif name not in known:
            raise fault(f"'{name}' is unknown; {nearest(name, known)} (your own is written package.module:callable)")
        return name

    return check


def network(name: str) -> str:
    """Refuse what is no network of our zoo, no `torchvision:NAME` and no `package.module:callable`."""
    if not name.startswith(names.TORCHVISION_PREFIX):
        return known_or_own(names.NETWORKS)(name)
    classifier = name.removeprefix(names.TORCHVISION_PREFIX)
    if classifier not in names.TORCHVISION_NETWORKS:
        raise fault(f"torchvision has no classifier '{classifier}'; {nearest(classifier, names.TORCHVISION_NETWORKS)}")
    return name


def _own(name: str) -> None:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise fault(f"'{name}' is no import path; write package.module:callable")
    top = module.split(".")[0]
    if importlib.util.find_spec(top) is None:
        raise fault(f"no package '{top}' is found; run from the folder that holds it, or install it")
