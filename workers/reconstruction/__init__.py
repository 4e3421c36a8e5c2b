"""Least squares on images without labels: what pruning did to a network's layers, measured, chosen by and repaired.

    comparison = Comparison(dense, channel_map, images, generator=generator)
    kept, refits = reconstruct(smaller, comparison, channel_map, widths, METHODS["lasso"])
    refits = repair(smaller, comparison, selection(channel_map, kept))

Refuses to know how many channels should go (`allocation`) and where images come from.
"""

from workers.reconstruction.layerwise import METHODS, Kept, LayerwiseMethod, Refitter, own_shares, reconstruct
from workers.reconstruction.refit import Refit
from workers.reconstruction.repair import repair
from workers.reconstruction.samples import Comparison, Restriction, Sums, selection
from workers.reconstruction.sites import Site, find_sites

__all__ = [
    "METHODS",
    "Comparison",
    "Kept",
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
