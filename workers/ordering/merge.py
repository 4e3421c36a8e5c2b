"""Tour merging: the best path inside the union of several good ones (Cook & Seymour 2003).

Edges that all paths share are fixed and their chains contracted; the rest is small enough for CP-SAT.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workers.ordering.circuit import Edge, shortest_on_graph
from workers.ordering.path import Matrix, path_length


def merge_paths(
    distances: Matrix, paths: Sequence[Sequence[int]], *, seed: int, max_deterministic_time: float
) -> list[int]:
    """Recombine paths into one that is at most as long as the shortest of them.

    Args:
        distances: Symmetric distances, n x n, n >= 2.
        paths: Permutations of 0..n-1, at least one.
        seed: CP-SAT's random seed.
        max_deterministic_time: CP-SAT's limit, in its units of work.

    Returns:
        A permutation of 0..n-1.
    """
    best = min((list(path) for path in paths), key=lambda path: path_length(distances, path))
    edge_sets = [_edges(path) for path in paths]
    union, shared = set[Edge]().union(*edge_sets), edge_sets[0].intersection(*edge_sets[1:])
    if union == shared or path_length(distances, best) <= 0:
        return best
    chains = _chains(best, shared)
    kept = [end for chain in chains for end in ((chain[0], chain[-1]) if len(chain) > 1 else (chain[0],))]
    small = {channel: index for index, channel in enumerate(kept)}
    bridges = [(small[chain[0]], small[chain[-1]]) for chain in chains if len(chain) > 1]
    open_edges = sorted((small[a], small[b]) for a, b in union - shared)
    ends = sorted({small[end] for path in paths for end in (path[0], path[-1])})
    reduced = distances[kept][:, kept]
    answer = shortest_on_graph(
        reduced,
        [*open_edges, *bridges],
        ends,
        list(range(len(kept))),
        fixed=bridges,
        seed=seed,
        max_deterministic_time=max_deterministic_time,
    )
    order = _expand([kept[index] for index in answer.order], chains)
    return min(best, order, key=lambda path: path_length(distances, path))


def _edges(path: Sequence[int]) -> set[Edge]:
    """Neighbours on a path, the smaller channel first."""
    return {(min(a, b), max(a, b)) for a, b in pairwise(path)}


def _chains(path: Sequence[int], shared: set[Edge]) -> list[list[int]]:
    """The path, cut wherever an edge is not shared."""
    chains = [[path[0]]]
    for a, b in pairwise(path):
        if (min(a, b), max(a, b)) in shared:
            chains[-1].append(b)
        else:
            chains.append([b])
    return chains


def _expand(ends: Sequence[int], chains: Sequence[list[int]]) -> list[int]:
    """Put the inner channels of every chain back, in the direction in which its ends are visited."""
    chain_at = {end: chain for chain in chains for end in (chain[0], chain[-1])}
    order: list[int] = []
    position = 0
    while position < len(ends):
        chain = chain_at[ends[position]]
        order.extend(chain if chain[0] == ends[position] else chain[::-1])
        position += 2 if len(chain) > 1 else 1
    return order
