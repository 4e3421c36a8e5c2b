"""Lower bounds on the shortest open path, and the edges that a shorter path can still use.

A path closed by a virtual city at distance 0 is a tour, and every tour is a 1-tree: a minimum spanning tree on the
channels plus two edges at the virtual city. Prices on channels shift the lengths of all paths equally and bring the
best 1-tree closer to a path (Held & Karp 1970, 1971).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int

from workers.ordering.path import Matrix

_ROUNDING = 1e-9  # relative: proofs in floating point leave this much room


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKarpBound:
    """The best 1-tree that the ascent found.

    Attributes:
        value: Lower bound on the length of all paths.
        prices: Prices of the channels, added to all their distances, n; ``value`` is for these.
    """

    value: float
    prices: Float64[np.ndarray, " n"]


def held_karp_bound(distances: Matrix, *, length: float, num_iterations: int) -> HeldKarpBound:
    """Raise the 1-tree bound by subgradient steps (Held, Wolfe & Crowder 1974), a fixed number of them.

    Args:
        distances: Symmetric distances, n x n, n >= 2.
        length: Length of a known path; steps are scaled by its distance from the bound.
        num_iterations: Spanning trees to build; each costs n^2. Zero prices are always tried.

    Returns:
        The largest bound met, at least the plain spanning tree, at most ``length``.
    """
    prices = np.zeros(len(distances))
    best = HeldKarpBound(value=-np.inf, prices=prices)
    scale, stalled = 1.0, 0
    direction = np.zeros(len(distances))
    for _ in range(max(1, num_iterations)):
        value, degrees = _one_tree(distances, prices)
        if value > best.value:
            best, stalled = HeldKarpBound(value=value, prices=prices), 0
        else:
            stalled += 1
        excess = degrees - 2.0
        norm = float(excess @ excess)
        if norm == 0 or value >= length * (1 - _ROUNDING):
            break
        if stalled >= 8:
            scale, stalled, prices, direction = scale / 2, 0, best.prices, 0 * direction
            continue
        direction = 0.7 * excess + 0.3 * direction
        prices = prices + scale * (length - value) / norm * direction
    return HeldKarpBound(value=min(max(best.value * (1 - _ROUNDING), 0.0), length), prices=best.prices)


def useful_edges(distances: Matrix, bound: HeldKarpBound, *, length: float) -> Bool[np.ndarray, "n n"]:
    """Edges that a path no longer than ``length`` may contain; the others are excluded by proof.

    An edge is excluded when the smallest 1-tree that contains it is longer than ``length`` (Helsgaun 2000,
    alpha-nearness).

    Args:
        distances: Symmetric distances, n x n.
        bound: Prices from the ascent.
        length: Length of a known path.

    Returns:
        Symmetric mask, False on the diagonal. Every edge of the known path is in it.
    """
    priced = distances + bound.prices[:, None] + bound.prices[None, :]
    joined, parents = _spanning_tree(distances, bound.prices)
    value, _ = _one_tree(distances, bound.prices)
    heaviest = np.full_like(priced, -np.inf)  # of the tree's path between two channels
    for k in range(1, len(joined)):
        channel, parent, earlier = joined[k], parents[joined[k]], joined[:k]
        heaviest[channel, earlier] = np.maximum(heaviest[parent, earlier], priced[channel, parent])
        heaviest[earlier, channel] = heaviest[channel, earlier]
    useful = value + priced - heaviest <= length + _ROUNDING * (abs(length) + float(np.abs(priced).max()))
    np.fill_diagonal(useful, False)
    return np.asarray(useful | useful.T)


def _one_tree(distances: Matrix, prices: Float64[np.ndarray, " n"]) -> tuple[float, Float64[np.ndarray, " n"]]:
    """Length of the smallest priced 1-tree less twice the prices, and its degrees at the channels."""
    joined, parents = _spanning_tree(distances, prices)
    children = joined[1:]
    degrees = np.bincount(children, minlength=len(prices)) + np.bincount(parents[children], minlength=len(prices))
    ends = np.argpartition(prices, 1)[:2]  # the virtual city's two edges cost the price of their channel
    degrees[ends] += 1
    tree = float(distances[children, parents[children]].sum())
    return tree + float((degrees - 2.0) @ prices), degrees.astype(np.float64)


def _spanning_tree(
    distances: Matrix, prices: Float64[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Prim's algorithm on priced distances: channels as they join, and the parent of each (the first has none)."""
    n = len(prices)
    joined, parents = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    cheapest = np.full(n, np.inf)  # priced edge into the tree
    outside = prices.copy()  # infinite once the channel has joined
    channel = 0
    for k in range(1, n):
        outside[channel] = np.inf
        candidate = distances[channel] + (outside + prices[channel])
        better = candidate < cheapest
        np.copyto(cheapest, candidate, where=better)
        parents[better] = channel
        cheapest[channel] = np.inf
        channel = int(cheapest.argmin())
        joined[k] = channel
    return joined, parents
