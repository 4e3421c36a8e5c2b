"""Channels go where the measured loss grows least (Li et al. 2017, arXiv:1608.08710, section 3.2, made automatic).

Needs the losses of networks of which one group alone is cut. That several groups are cut at once, and what that does
together, is not seen.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.allocation._base import Question, allocator
from workers.allocation.greedy import cheapest_first


@allocator(needs=["losses"], reason="channels are whole, and the next one would remove too much")
def sensitivity(question: Question) -> dict[str, int]:
    """Take one channel after the other, always where the loss grows least per cost saved."""
    return cheapest_first(question, question.losses())


def loss_curve(width: int, measured: Mapping[int, float]) -> Float[Tensor, " width"]:
    """What the loss grows by when k of a group's channels are gone, for k = 0 .. width-1.

    Between measured widths it is interpolated, below the smallest of them it rises as it did last. It never falls: a
    loss that is smaller with fewer channels is taken for chance.

    Args:
        width: Full width of the group.
        measured: Channels that stay -> loss minus that of the whole network.
    """
    if width == 1:
        return torch.zeros(1, dtype=torch.float64)
    points = sorted(((width - kept, max(0.0, loss)) for kept, loss in {**measured, width: 0.0}.items()))
    gone = torch.tensor([point[0] for point in points], dtype=torch.float64)
    losses = torch.tensor([point[1] for point in points], dtype=torch.float64).cummax(0).values
    k = torch.arange(width, dtype=torch.float64)
    right = torch.searchsorted(gone, k).clamp(1, len(gone) - 1)
    slope = (losses[right] - losses[right - 1]) / (gone[right] - gone[right - 1])
    return losses[right - 1] + slope * (k - gone[right - 1])
