"""OR-Tools' routing solver: guided local search from a given path.

The path is one vehicle's route from a virtual city at distance 0. The distances are registered as a matrix, so that the
search never calls back into Python. It stops after a number of solutions, not after a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from workers.ordering.path import Matrix, path_length

_UNITS = 10**9  # the given path's length in integer units
_BRANCHES_PER_SOLUTION = 50  # measured: 6 to 9; the second limit ends a search that finds no more solutions


def guided_local_search(distances: Matrix, start: Sequence[int], *, solution_limit: int) -> list[int]:
    """Improve a path by the routing solver (Voudouris & Tsang 1999, as OR-Tools implements it).

    Args:
        distances: Symmetric distances, n x n.
        start: The path to begin with, of positive length.
        solution_limit: Solutions, better and worse, after which the search stops; each costs about n^2.

    Returns:
        The shorter of ``start`` and the path found: a permutation of 0..n-1.
    """
    n = len(distances)
    manager = pywrapcp.RoutingIndexManager(n + 1, 1, n)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(_integer_costs(distances, start)))
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.solution_limit = solution_limit
    model.AddSearchMonitor(model.solver().BranchesLimit(_BRANCHES_PER_SOLUTION * solution_limit))
    model.CloseModelWithParameters(parameters)
    warm = model.ReadAssignmentFromRoutes([[int(channel) for channel in start]], True)
    answer = model.SolveFromAssignmentWithParameters(warm, parameters)
    if answer is None:
        return list(start)
    found: list[int] = []
    index = answer.Value(model.NextVar(model.Start(0)))
    while not model.IsEnd(index):
        found.append(int(manager.IndexToNode(index)))
        index = answer.Value(model.NextVar(index))
    return min(list(start), found, key=lambda path: path_length(distances, path))


def _integer_costs(distances: Matrix, start: Sequence[int]) -> list[list[int]]:
    """Distances in units of the path's length, with the virtual city last; no edge of a shorter path is cut off."""
    scaled = np.minimum(distances / path_length(distances, start), 2.0) * _UNITS
    padded = np.zeros((len(distances) + 1, len(distances) + 1), dtype=np.int64)
    padded[:-1, :-1] = np.rint(scaled)
    costs: list[list[int]] = padded.tolist()
    return costs
