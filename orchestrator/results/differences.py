"""Differences between the identities of two tasks. Pure functions."""

from collections.abc import Iterator, Mapping

from jobs.identity import Json, canonical


def flatten(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """The leaves of a JSON value, each with its dotted path."""
    if isinstance(value, Mapping) and value:
        for name in sorted(value):
            yield from flatten(value[name], f"{path}.{name}" if path else name)
    else:
        yield path, value


def differences(first: Json, second: Json) -> list[tuple[str, str, str]]:
    """The fields in which two identities differ: path, first value, second value; `-` where a field is absent."""
    left = {path: canonical(value) for path, value in flatten(first)}
    right = {path: canonical(value) for path, value in flatten(second)}
    return [
        (path, left.get(path, "-"), right.get(path, "-"))
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]
