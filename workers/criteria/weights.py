"""Data-free criteria: norms and distances of weights, and random scores as the control.

Those of more than a few statements have a module of their own.
"""

import torch

from workers.channels import owned_slices
from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import absolute_sums, filters


@criterion()
def random(evidence: Evidence) -> Scores:
    """Independent uniform scores: the control of every criterion."""
    return {
        group.name: torch.rand(group.width, dtype=torch.float64, generator=evidence.generator)
        for group in evidence.channel_map.groups
    }


@criterion()
def l1(evidence: Evidence) -> Scores:
    """Sum of the absolute weights that produce a unit, over all layers of its group.

    Rethinking, section 4.1; Li et al. 2017, arXiv:1608.08710, section 3.1.
    """
    return absolute_sums(evidence.state, evidence.channel_map)


@criterion()
def l2(evidence: Evidence) -> Scores:
    """Euclidean norm of all weights that produce a unit (Li et al. 2017, arXiv:1608.08710, section 4.4)."""
    return {name: rows.norm(dim=1) for name, rows in filters(evidence.state, evidence.channel_map).items()}


@criterion()
def unit_norm(evidence: Evidence) -> Scores:
    """Euclidean norm of a unit's slices in all parameters of its group: those that produce it and those that read it.

    This is what a group lasso penalises (Wen et al. 2016, arXiv:1608.03665, section 3). It is zero for units and blocks
    that training brought to zero.
    """
    channel_map = evidence.channel_map
    squares: Scores = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
    for owned in channel_map.owned_axes():
        if owned.tensor in channel_map.parameters:
            squares[owned.group.name] += owned_slices(evidence.state, owned).double().square().sum(1)
    return {name: each.sqrt() for name, each in squares.items()}


@criterion()
def fpgm(evidence: Evidence) -> Scores:
    """Sum of the Euclidean distances from a unit's filter to those of its group; least at the geometric median.

    A filter that is near all others can be replaced by them (He et al. 2019, arXiv:1811.00250, equations 4 to 6).
    """
    return {
        name: torch.cdist(rows, rows).sum(1) for name, rows in filters(evidence.state, evidence.channel_map).items()
    }


@criterion()
def lamp(evidence: Evidence) -> Scores:
    """A unit's squared norm as a fraction of all in its group that are as large or larger.

    Layer-adaptive magnitude (Lee et al. 2021, arXiv:2010.07611, equation 2): scores that can be compared between
    layers. The paper scores single weights; here a unit takes the place of a weight. Within a group the order is that
    of `l2`; the largest unit of every group has score 1, so that a global threshold never empties a layer.
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
