"""How much is gone after each of several rounds of pruning. Pure."""

from typing import Literal, TypeAlias

Schedule: TypeAlias = Literal["geometric", "linear"]
"""`geometric`: every round removes the same fraction of what is left; `linear`: the same fraction of the whole."""


def gone_after(number: int, rounds: int, *, total: float, schedule: Schedule) -> float:
    """The fraction of the whole that is gone after a round.

    Args:
        number: Of the round, from 1.
        rounds: How many there are.
        total: The fraction that is gone after the last one, in [0, 1].
        schedule: How much goes in which.

    Example:
        >>> [round(gone_after(number, 3, total=0.875, schedule="geometric"), 3) for number in (1, 2, 3)]
        [0.5, 0.75, 0.875]
    """
    if schedule == "linear":
        return total * number / rounds
    left: float = (1 - total) ** (number / rounds)
    return 1 - left
