"""Typed access to measurements, which are JSON."""

from collections.abc import Mapping, Sequence

from jobs.identity import Json


def number(measured: Mapping[str, Json], name: str, default: float | None = None) -> float:
    """A number from measurements.

    Args:
        measured: The measurements of a task.
        name: The measurement's name.
        default: Returned where it was not measured.

    Raises:
        KeyError: It was not measured, and there is no default.
        TypeError: It is not a number.
    """
    value = measured[name] if default is None else measured.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, value, "a number")
    return value


def count(measured: Mapping[str, Json], name: str) -> int:
    """An integer from measurements; raises as `number` does."""
    value = measured[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "a whole number")
    return value


def text(measured: Mapping[str, Json], name: str, default: str | None = None) -> str:
    """A string from measurements; raises as `number` does."""
    value = measured[name] if default is None else measured.get(name, default)
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def texts(measured: Mapping[str, Json], name: str) -> tuple[str, ...]:
    """A list of strings from measurements, empty where there is none; raises TypeError where it is something else."""
    value = measured.get(name, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(name, value, "a list of texts")
    found = tuple(each for each in value if isinstance(each, str))
    if len(found) != len(value):
        raise _wrong(name, value, "a list of texts")
    return found


def records(measured: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    """A list of records from measurements, empty where there is none; raises TypeError where it is something else."""
    value = measured.get(name, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(name, value, "a list of records")
    found = [each for each in value if isinstance(each, Mapping)]
    if len(found) != len(value):
        raise _wrong(name, value, "a list of records")
    return found


def counts(measured: Mapping[str, Json], name: str) -> dict[str, int]:
    """Integers by name from measurements, in order, from a mapping or from pairs; empty where there are none.

    Raises:
        TypeError: It is something else.
    """
    value = measured.get(name, {})
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if isinstance(pairs, str) or not isinstance(pairs, Sequence):
        raise _wrong(name, value, "whole numbers by name")
    found: dict[str, int] = {}
    for pair in pairs:
        match pair:
            case [str(key), int(each)] if not isinstance(each, bool):
                found[key] = each
            case _:
                raise _wrong(name, value, "whole numbers by name")
    return found


def _wrong(name: str, value: Json, expected: str) -> TypeError:
    return TypeError(f"{name} is {value!r}; expected {expected}")
