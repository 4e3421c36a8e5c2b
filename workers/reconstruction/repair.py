"""Least-squares repair: refits every layer of a pruned network to the outputs of the dense one, without labels.

Layer by layer in order of execution, so that each corrects the remaining error of those before it.
"""

import logging

from torch import nn

from workers.reconstruction.refit import RIDGE, Refit, refit_weights
from workers.reconstruction.samples import DenseReference, Restriction

_log = logging.getLogger("orchard")


def repair(
    smaller: nn.Module, reference: DenseReference, restriction: Restriction, *, ridge: float = RIDGE
) -> list[Refit]:
    """Refit all layers that can be refitted (see `find_sites`). In place.

    Args:
        smaller: The dense network with fewer channels, on the device of the images.
        reference: The dense network's outputs.
        restriction: Maps the dense network's channels to those of the smaller one.
        ridge: See `ridge_regression`.

    Returns:
        The result of each refit, in order of execution.
    """
    refits = []
    for site in reference.sites:
        sums = reference.sums(smaller, [site], restriction)[site]
        refits.append(refit_weights(smaller, site, sums, ridge=ridge))
        _log.info("%s: squared error %.3g, then %.3g", site.layer, refits[-1].before, refits[-1].after)
    return refits
