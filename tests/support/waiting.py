"""Waits for what other processes and threads bring about."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(condition: Callable[[], Found], limit_s: float = 120.0) -> Found:
    """What a condition gives once that is true; the bound is generous, and none of its seconds are measured."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not come to be within {limit_s:.0f} s")
