"""Pruning and repair by least squares on calibration images, without labels.

    reference = DenseReference(dense, channel_map, images, generator=generator)
    kept, refits = reconstruct(smaller, reference, channel_map, widths, METHODS["lasso"])
    refits = repair(smaller, reference, selection(channel_map, kept))

The number of channels that stay is up to `allocation`.
"""

from workers.reconstruction.layerwise import METHODS, KeptUnits, LayerwiseMethod, Refitter, own_shares, reconstruct
from workers.reconstruction.refit import Refit
from workers.reconstruction.repair import repair
from workers.reconstruction.samples import DenseReference, Restriction, Sums, selection
from workers.reconstruction.sites import Site, find_sites

__all__ = [
    "METHODS",
    "DenseReference",
    "KeptUnits",
    "LayerwiseMethod",
    "Refit",
    "Refitter",
    "Restriction",
    "Site",
    "Sums",
    "find_sites",
    "own_shares",
    "reconstruct",
    "repair",
    "selection",
]
