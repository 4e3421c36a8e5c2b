"""Content keys: the sha256 of canonical JSON. Which fields a task's key covers is decided in `jobs.task`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

KEY_LENGTH = 32
"""Hexadecimal characters of a key: 128 bits."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can hold: null, bool, int, float, str, lists and string-keyed mappings of them."""

Parsed: TypeAlias = Mapping[str, Any]
"""A parsed JSON object, before it is validated into a record."""

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Json) -> str:
    """The canonical JSON text of a value: sorted keys, no blanks, ASCII, no NaN.

    Raises:
        ValueError: The value holds NaN or infinity.
        TypeError: The value is not JSON.
    """
    return _ENCODER.encode(value)


def content_key(value: Json) -> str:
    """The content key of a value: `KEY_LENGTH` hexadecimal characters.

    Example:
        >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:KEY_LENGTH]
