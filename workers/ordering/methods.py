"""Methods to order a group's channels, by name. Pure: needs only the values of the slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from jobs.spec.effort import EFFORTS, SolverLimits
from workers.ordering.bounds import held_karp_bound
from workers.ordering.distances import DistanceMetric, Scaling, pairwise_distances
from workers.ordering.local_search import nearest_neighbour
from workers.ordering.path import Matrix, Ordering, checked, described, path_length
from workers.ordering.references import REFERENCES
from workers.ordering.solve import solve_path

Method = Literal["tsp", "identity", "random", "norm", "spectral"]

METHODS = ("tsp", *REFERENCES)
"""The orders that a sweep can name."""


def order_channels(
    slices: Sequence[Float[Tensor, "n ..."]],
    *,
    method: Method,
    metric: DistanceMetric = "l1",
    normalize: Scaling = "none",
    seed: int,
    limits: SolverLimits = EFFORTS["standard"],
    pool: int = 1,
) -> Ordering:
    """Order the channels of one group.

    Args:
        slices: One tensor per slice that the group owns, its n channels on the first axis.
        method: ``tsp`` (shortest path) or one of the references: ``identity`` (as they are), ``random`` (drawn from
            the seed), ``norm`` (sorted by the slices' l1 norm), ``spectral`` (along the Fiedler vector).
        metric: Distance between channels: ``l1``, ``l2`` or ``cosine``; see :mod:`workers.ordering.distances`.
        normalize: ``tensor`` weights all slices equally, ``none`` does not scale them.
        seed: Seed of all randomness.
        limits: Limits of work for the order (``tsp``) and for its bound (all methods).
        pool: Orders to keep (``tsp``): the shortest and others that are nearly as short. The references have one.

    Returns:
        The order with its length, the length before, and a bound.

    Raises:
        ValueError: A name that is not known, slices that do not fit together, or weights that are not finite.
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} is not one of {', '.join(METHODS)}")
    distances = checked(pairwise_distances(slices, metric=metric, normalize=normalize))
    if method == "tsp":
        return solve_path(distances, seed=seed, limits=limits, pool=pool)
    return _bounded(distances, REFERENCES[method](slices, distances, seed).tolist(), limits)


def _bounded(distances: Matrix, order: Sequence[int], limits: SolverLimits) -> Ordering:
    """A reference order with the Held-Karp bound, whose steps are scaled by a reasonable path."""
    if len(distances) == 1:
        return described(distances, order, 0.0)
    known = min(path_length(distances, path) for path in (order, nearest_neighbour(distances, 0)))
    bound = held_karp_bound(distances, length=known, num_iterations=limits.ascent_iterations)
    return described(distances, order, bound.value)
