"""Least-squares repair: every layer of a smaller network refitted to what the dense one gives, without labels.

Layer by layer in order of execution, so that each makes up for what those before it still lack. Knows neither why
channels went nor which data the images are from.
"""

import logging

from torch import nn

from workers.reconstruction.refit import RIDGE, Refit, refit_weights
from workers.reconstruction.samples import Comparison, Restriction

_log = logging.getLogger("orchard")


def repair(
    smaller: nn.Module, comparison: Comparison, restriction: Restriction, *, ridge: float = RIDGE
) -> list[Refit]:
    """Refit all layers that can be refitted (see `find_sites`). In place.

    Args:
        smaller: The dense network with fewer channels, on the device of the images.
        comparison: The dense network's outputs.
        restriction: How the smaller network's channels follow from those of the dense one.
        ridge: See `ridge_regression`.

    Returns:
        What each refit did, in order of execution.
    """
    refits = []
    for site in comparison.sites:
        sums = comparison.sums(smaller, [site], restriction)[site]
        refits.append(refit_weights(smaller, site, sums, ridge=ridge))
        _log.info("%s: squared error %.3g, then %.3g", site.layer, refits[-1].before, refits[-1].after)
    return refits
