"""Layer-adaptive magnitude (LAMP): scores that can be compared between layers (Lee et al. 2021, arXiv:2010.07611)."""

import torch

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import filters


@criterion()
def lamp(evidence: Evidence) -> Scores:
    """A unit's squared norm as a fraction of all in its group that are as large or larger (equation 2).

    The paper scores single weights; here a unit takes the place of a weight. Within a group the order is that of `l2`;
    the largest unit of every group has score 1, so that a global threshold never empties a layer.
    """
    return {
        name: _fractions(rows.square().sum(1)) for name, rows in filters(evidence.state, evidence.channel_map).items()
    }


def _fractions(squares: torch.Tensor) -> torch.Tensor:
    order = squares.argsort(descending=True, stable=True)
    ranked = squares[order]
    scores = torch.empty_like(squares)
    scores[order] = ranked / ranked.cumsum(0).clamp_min(torch.finfo(squares.dtype).tiny)
    return scores
