"""The content key of a task: one recipe, in one place.

A key is the sha256 of canonical JSON. What goes in is decided by `jobs.task`; this module knows only how a
value becomes a key.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

KEY_LENGTH = 32
"""Hexadecimal characters of a key: 128 bits."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can hold: null, bool, int, float, str, lists and string-keyed mappings of them."""

Parsed: TypeAlias = Mapping[str, Any]
"""An object as it was parsed, before a record is made of it."""

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Json) -> str:
    """The one JSON text of a value: sorted keys, no blanks, ASCII, no NaN.

    Raises:
        ValueError: The value holds NaN or infinity.
        TypeError: The value is not JSON.
    """
    return _ENCODER.encode(value)


def content_key(value: Json) -> str:
    """`KEY_LENGTH` hexadecimal characters that name a value.

    Example:
        >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:KEY_LENGTH]
