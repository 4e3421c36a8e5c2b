"""Exact solution: CP-SAT on all edges that a shorter path could still use.

The Held-Karp bound and a good path exclude most edges, so a proof of CP-SAT on the rest holds for all paths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.ordering.bounds import HeldKarpBound, useful_edges
from workers.ordering.circuit import CircuitAnswer, shortest_on_graph
from workers.ordering.path import Matrix, path_length


def exact_path(
    distances: Matrix,
    hint: Sequence[int],
    bound: HeldKarpBound,
    *,
    seed: int,
    max_deterministic_time: float,
    max_edges: int,
) -> CircuitAnswer | None:
    """Find the shortest path, or at least bound it.

    Args:
        distances: Symmetric distances, n x n, n >= 2.
        hint: A good path of positive length.
        bound: The Held-Karp bound, which excludes edges.
        seed: CP-SAT's random seed.
        max_deterministic_time: CP-SAT's limit, in its units of work.
        max_edges: With more edges left than this, nothing is tried.

    Returns:
        The best path and a bound for all paths (``proven``: the path is the shortest), or None when too many edges
        are left.
    """
    length = path_length(distances, hint)
    useful = np.argwhere(np.triu(useful_edges(distances, bound, length=length)))
    if len(useful) > max_edges:
        return None
    edges = [(int(i), int(j)) for i, j in useful]
    answer = shortest_on_graph(
        distances,
        edges,
        range(len(distances)),
        hint,
        seed=seed,
        max_deterministic_time=max_deterministic_time,
    )
    # A path with an excluded edge is longer than the hint, so the hint's length bounds those.
    return CircuitAnswer(order=answer.order, bound=min(answer.bound, length), proven=answer.proven)
