"""Ways to order a group's channels, by name; what the order stage calls.

This module refuses to know models, groups and files: it sees the slices' values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from workers.ordering.bounds import held_karp_bound
from workers.ordering.distances import Metric, pairwise_distances
from workers.ordering.effort import Effort, limits
from workers.ordering.local_search import nearest_neighbour
from workers.ordering.path import Matrix, Ordering, checked, described, path_length
from workers.ordering.solve import solve_path

Method = Literal["tsp", "identity", "random"]
Orderer = Callable[[Matrix, int, Effort], Ordering]


def order_channels(
    slices: Sequence[Float[Tensor, "n ..."]],
    *,
    method: Method,
    metric: Metric = "l1",
    seed: int,
    effort: Effort = "standard",
) -> Ordering:
    """Order the channels of one group.

    Args:
        slices: One tensor per slice that the group owns, its n channels on the first axis.
        method: ``tsp`` (neighbours alike), ``identity`` (as they come) or ``random`` (drawn from the seed).
        metric: ``l1`` or ``l2`` distance between channels, summed over slices.
        seed: All randomness comes from it.
        effort: How much work for the order (``tsp``) and for its bound (all methods).

    Returns:
        The order with its length, the length before, and a bound.

    Raises:
        ValueError: A name that is not known, slices that do not fit together, or weights that are not finite.
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} is not one of {', '.join(METHODS)}")
    return METHODS[method](pairwise_distances(slices, metric=metric), seed, effort)


def _tsp(distances: Matrix, seed: int, effort: Effort) -> Ordering:
    return solve_path(distances, seed=seed, effort=effort)


def _identity(distances: Matrix, seed: int, effort: Effort) -> Ordering:
    """The order the channels came in; a reference."""
    del seed
    return _bounded(checked(distances), range(len(distances)), effort)


def _random(distances: Matrix, seed: int, effort: Effort) -> Ordering:
    """A drawn order; a reference."""
    return _bounded(checked(distances), np.random.default_rng(seed).permutation(len(distances)).tolist(), effort)


def _bounded(distances: Matrix, order: Sequence[int], effort: Effort) -> Ordering:
    """An order that nobody optimised, with the Held-Karp bound, whose steps are scaled by a reasonable path."""
    if len(distances) == 1:
        return described(distances, order, 0.0)
    known = min(path_length(distances, path) for path in (order, nearest_neighbour(distances, 0)))
    bound = held_karp_bound(distances, length=known, num_iterations=limits(effort).ascent_iterations)
    return described(distances, order, bound.value)


METHODS: Mapping[str, Orderer] = MappingProxyType({"tsp": _tsp, "identity": _identity, "random": _random})
