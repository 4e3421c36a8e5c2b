"""Channels go where the weights change least. Needs weights and nothing else."""

from workers.allocation._base import Question, allocator
from workers.allocation.greedy import cheapest_first


@allocator(needs=["weights"], reason="channels are whole, and the next one would remove too much")
def least_error(question: Question) -> dict[str, int]:
    """Take one channel after the other, always where the error of the weights grows least per cost saved."""
    return cheapest_first(question, question.errors())
