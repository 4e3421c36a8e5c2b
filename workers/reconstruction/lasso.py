"""LASSO channel selection (He et al. 2017, arXiv:1707.06168): a factor per channel, and an l1 penalty on the factors.

minimise 1/2 |y - sum_c b_c x_c|^2 + price * sum_c |b_c|, with x_c the contribution of channel c and y the target
output; the price rises until only as many factors as wanted are left (section 3.2, equation 2).
"""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from workers.reconstruction.contributions import Contributions

_SWEEPS = 200
_TOLERANCE = 1e-4
_BISECTIONS = 30


def surviving(found: Contributions, width: int) -> Int64[Tensor, " width"]:
    """The units that stay, ascending: those whose factors survive the highest price at which enough do.

    The price is found by bisection, always starting from a sparser solution, so that of two equal units one survives.
    Where several factors vanish at one price the largest stay; where no price leaves enough of them, those that are
    nonzero at price 0 and then the first.

    Args:
        found: Contributions to the present output, and with the error; the target is the sum of the two.
        width: Number of units that stay.
    """
    products = found.products.cpu().numpy()
    moments = products.sum(1) + found.errors.cpu().numpy()
    low, high = 0.0, float(np.abs(moments).max())
    factors, sparser = None, np.zeros_like(moments)
    for _ in range(_BISECTIONS):
        price = (low + high) / 2
        at_price = lasso(products, moments, price, sparser)
        count = np.count_nonzero(at_price)
        if count < width:
            high, sparser = price, at_price
            continue
        low, factors = price, at_price
        if count == width:
            break
    order = np.argsort(-np.abs(sparser if factors is None else factors), kind="stable")[:width]
    return torch.from_numpy(np.sort(order))


def lasso(
    products: Float[np.ndarray, "units units"],
    moments: Float[np.ndarray, " units"],
    price: float,
    start: Float[np.ndarray, " units"],
) -> Float[np.ndarray, " units"]:
    """The b that minimises b K b / 2 - m b + price |b|_1, by cyclic coordinate descent (Friedman et al. 2007).

    Stops when no factor moves by more than 1e-4 of the largest one any more.

    Args:
        products: K.
        moments: m.
        price: At least 0.
        start: Initial factors.
    """
    factors = start.copy()
    slopes = moments - products @ factors
    for _ in range(_SWEEPS):
        moved = 0.0
        for unit, curvature in enumerate(products.diagonal()):
            if curvature <= 0:
                factors[unit] = 0.0  # contributes to no output
                continue
            pull = slopes[unit] + curvature * factors[unit]
            changed = np.sign(pull) * max(0.0, abs(pull) - price) / curvature
            if changed != factors[unit]:
                slopes -= products[unit] * (changed - factors[unit])
                moved = max(moved, abs(changed - factors[unit]))
                factors[unit] = changed
        if moved <= _TOLERANCE * max(1.0, float(np.abs(factors).max())):
            break
    return factors
