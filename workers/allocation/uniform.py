"""The same fraction of every channel group. Needs widths and nothing else."""

from workers.allocation._base import Question, allocator
from workers.allocation.proportions import in_proportion


@allocator(reason="widths are whole numbers and no nearer ones exist at one fraction for all groups")
def uniform(question: Question) -> dict[str, int]:
    """Keep the same fraction of every group."""
    return in_proportion(question, dict.fromkeys(question.channel_map.widths(), 1.0))
