"""ThiNet (Luo et al. 2017, arXiv:1707.06342): remove the channels whose joint contribution is least, then rescale.

Here for the contributions to all outputs of all layers that read the channels, not to one random output per row.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from workers.reconstruction.contributions import Contributions
from workers.reconstruction.refit import ridge_regression


def least_contribution(found: Contributions, width: int) -> Int64[Tensor, " width"]:
    """The units that stay, ascending, when the removed set grows greedily (algorithm 1).

    Each step adds the unit with which the squared sum of the removed contributions is least; of equal ones the first.
    That sum is K_cc + 2 sum(K_cr over the removed r) + a constant, so that a step is a sum of two vectors.

    Args:
        found: Contributions; K are their products.
        width: Number of units that stay.
    """
    products = found.products
    removed = torch.zeros(len(products), dtype=torch.bool, device=products.device)
    costs = products.diagonal().clone()
    for _ in range(len(products) - width):
        unit = int(costs.masked_fill(removed, torch.inf).argmin())
        removed[unit] = True
        costs += 2 * products[unit]
    return (~removed).nonzero().flatten().cpu()


def least_squares_factors(found: Contributions, ridge: float) -> Float[Tensor, " units"]:
    """The factors of the units' contributions that bring their sum nearest to the target (equation 7).

    Args:
        found: Contributions of the units that stay; the error is that of all factors 1.
        ridge: See `ridge_regression`; penalises the distance of the factors from 1.
    """
    products, errors = found.products[None], found.errors[None, :, None]
    return 1 + ridge_regression(products, errors, ridge, len(found.errors)).flatten()
