"""Compressions in whole percent: the steps of a curve."""


def to_percent(fraction: float) -> int:
    """A fraction in percent, rounded to a whole one: sweep files have no compressions between them."""
    return round(fraction * 100)
