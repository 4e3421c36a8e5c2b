"""The shortest path on a sparse graph by OR-Tools' CP-SAT: one circuit constraint through a virtual city.

Work is limited by deterministic time with one worker and a fixed seed, so that the result does not depend on the
machine's speed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from workers.ordering.path import Matrix, path_length

_UNITS = 10**10  # the known path's length in integer units

Edge = tuple[int, int]
Arc = tuple[int, int, cp_model.IntVar]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitAnswer:
    """The result of CP-SAT on a graph.

    Attributes:
        order: The best path known, at worst the hint.
        bound: Lower bound on all paths of the graph (less the integers' rounding).
        proven: Whether the path is the shortest of the graph, up to that rounding.
    """

    order: list[int]
    bound: float
    proven: bool


def shortest_on_graph(
    distances: Matrix,
    edges: Collection[Edge],
    ends: Iterable[int],
    hint: Sequence[int],
    *,
    fixed: Collection[Edge] = (),
    seed: int,
    max_deterministic_time: float,
) -> CircuitAnswer:
    """Find the shortest Hamiltonian path that uses only given edges.

    Args:
        distances: Symmetric distances, n x n, n >= 2.
        edges: Pairs of channels (i, j) that may be neighbours, each once. Holds the hint's own.
        ends: Channels that may be first or last. Holds the hint's own.
        hint: A path of the graph with positive length, to start from.
        fixed: Pairs that are neighbours for certain, in the hint too.
        seed: CP-SAT's random seed.
        max_deterministic_time: Limit in CP-SAT's units of work, about a second each.

    Returns:
        The best path, never longer than the hint, with a bound for this graph.
    """
    n, length = len(distances), path_length(distances, hint)
    scale = _UNITS / length
    pairs = [(i, j, round(min(float(distances[i, j]), 2 * length) * scale)) for i, j in edges]  # longer is never better
    model, arcs = _model(n, [*pairs, *((n, end, 0) for end in ends)], hint, fixed)
    solver = _solver(seed, max_deterministic_time)
    status = solver.solve(model)
    order = list(hint)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found = _walk({a: b for a, b, literal in arcs if solver.boolean_value(literal)}, n)
        order = min(order, found, key=lambda path: path_length(distances, path))
    rounding = 0.5 * (n - 1)
    return CircuitAnswer(
        order=order,
        bound=max(0.0, (solver.best_objective_bound - rounding) / scale),
        proven=status == cp_model.OPTIMAL,
    )


def _model(
    n: int, pairs: Sequence[tuple[int, int, int]], hint: Sequence[int], fixed: Collection[Edge]
) -> tuple[cp_model.CpModel, list[Arc]]:
    """The circuit over (a, b, cost) in both directions, hinted with the path; n is the virtual city."""
    following = dict(zip([n, *hint], [*hint, n], strict=True))
    together = {frozenset(pair) for pair in fixed}
    model, arcs, costs = cp_model.CpModel(), list[Arc](), list[int]()
    for a, b, cost in pairs:
        there, back = model.new_bool_var(""), model.new_bool_var("")
        arcs.extend([(a, b, there), (b, a, back)])
        costs.extend([cost, cost])
        model.add_hint(there, following[a] == b)
        model.add_hint(back, following[b] == a)
        if frozenset((a, b)) in together:
            model.add_exactly_one(there, back)
        else:
            model.add_at_most_one(there, back)
    model.add_circuit(arcs)
    model.minimize(cp_model.LinearExpr.weighted_sum([literal for _, _, literal in arcs], costs))
    return model, arcs


def _solver(seed: int, max_deterministic_time: float) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.max_deterministic_time = max_deterministic_time
    solver.parameters.linearization_level = 2
    return solver


def _walk(following: dict[int, int], start: int) -> list[int]:
    """The circuit from the virtual city on, without it."""
    order = [following[start]]
    while (channel := following[order[-1]]) != start:
        order.append(channel)
    return order
