"""One width per group that keeps the highest total score under several limits at once, by CP-SAT.

Every group has candidate widths, each with a literal. A cost is a sum of products of two lengths: such a product is
linear in the second length where the first has one candidate, and so the product is split by the candidates of the
first, exactly one of which holds. The split makes the linear relaxation tight, which bounds the gap.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from workers.allocation.limits import Limit
from workers.channels import Cost, CostTerm, Length

_SCORE_UNITS = 10**8
_COST_UNITS = 10**10
_GAP = 1e-3
_LARGEST = 10**12  # elements of one tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Widths, the score that they keep, and its bound.

    Attributes:
        widths: Group name -> channels that stay.
        score: The score that they keep.
        bound: Upper bound on the score over all candidates.
    """

    widths: Mapping[str, int]
    score: float
    bound: float

    @property
    def gap(self) -> float:
        """Relative gap: bound over score, less 1."""
        return max(0.0, self.bound / self.score - 1) if self.score else 0.0


def solve_widths(
    kept_scores: Mapping[str, Mapping[int, float]],
    limits: Sequence[Limit],
    start: Mapping[str, int],
    *,
    effort: float,
) -> Solution:
    """The widths that keep the highest score and meet all limits.

    Args:
        kept_scores: Group name -> candidate width -> the score that it keeps.
        limits: Limits to meet, in whole numbers or scaled to them.
        start: Candidates that meet all limits.
        effort: Deterministic seconds of the solver (`max_deterministic_time`), so that the same problem has the
            same solution on every machine.

    Returns:
        The best widths found, never worse than `start`. Of those that keep the same score they are wide ones: as long
        as the limits allow it, nothing is removed for which no score is gained.

    Raises:
        ValueError: The solver refuses the model, which is a bug.
    """
    model = _WidthModel(kept_scores, start)
    for limit in limits:
        model.limit(limit)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.linearization_level = 2
    solver.parameters.relative_gap_limit = _GAP
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model.model)
    if status == cp_model.MODEL_INVALID:
        raise ValueError(f"the solver refuses the model of the widths: {model.model.validate()}")

    def score(widths: Mapping[str, int]) -> float:
        return sum(kept_scores[name][width] for name, width in widths.items())

    widths = dict(start)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found = {name: solver.value(variable) for name, variable in model.widths.items()}
        widths = max(widths, found, key=score)
    widths = _widened(widths, kept_scores, limits)
    return Solution(widths=widths, score=score(widths), bound=solver.best_objective_bound / model.units)


def _widened(
    widths: dict[str, int], kept_scores: Mapping[str, Mapping[int, float]], limits: Sequence[Limit]
) -> dict[str, int]:
    """The widths, with wider candidates of groups that lose no score by it, within all limits; the narrowest first."""

    def wider(name: str) -> dict[str, int] | None:
        each = kept_scores[name]
        following = min((width for width in each if width > widths[name]), default=None)
        if following is None or each[following] < each[widths[name]]:
            return None
        changed = {**widths, name: following}
        return changed if all(limit.met(changed) for limit in limits) else None

    def narrowest_first() -> list[str]:
        return sorted(widths, key=lambda name: widths[name] / max(kept_scores[name]))

    while found := next((each for name in narrowest_first() if (each := wider(name))), None):
        widths = found
    return widths


class _WidthModel:
    """The model: literals per candidate, widths, and products of lengths as they are asked for."""

    def __init__(self, kept_scores: Mapping[str, Mapping[int, float]], start: Mapping[str, int]) -> None:
        self.model = cp_model.CpModel()
        self.literals: dict[str, dict[int, cp_model.IntVar]] = {}
        self.widths: dict[str, cp_model.IntVar] = {}
        self._products: dict[object, cp_model.LinearExprT] = {}
        largest = sum(max(map(abs, each.values())) for each in kept_scores.values())
        self.units = _SCORE_UNITS / largest if largest else 1.0
        kept = []
        for name, candidates in kept_scores.items():
            literals = {width: self.model.new_bool_var(f"{name}={width}") for width in candidates}
            self.model.add_exactly_one(literals.values())
            width = self.model.new_int_var_from_domain(cp_model.Domain.from_values(list(candidates)), name)
            self.model.add(width == sum(value * literal for value, literal in literals.items()))
            for value, literal in literals.items():
                self.model.add_hint(literal, value == start[name])
                kept.append(round(candidates[value] * self.units) * literal)
            self.literals[name], self.widths[name] = literals, width
        self.model.maximize(sum(kept))

    def limit(self, limit: Limit) -> None:
        """Adds a limit; coefficients are rounded up, so that a feasible solution meets the true limit."""
        scale = _COST_UNITS / limit.budget
        if all(term.weight.is_integer() for cost in (limit.shared, *limit.costs) for term in cost.terms):
            scale = min(1.0, scale)  # whole numbers stay as they are
        budget = int(limit.budget * scale)
        shared = self._cost(limit.shared, scale)
        if not limit.costs:
            self.model.add(shared <= budget)
            return
        largest = self.model.new_int_var(0, budget, "")
        for cost in limit.costs:
            self.model.add(self._cost(cost, scale) <= largest)
        self.model.add(shared <= budget - largest)

    def _cost(self, cost: Cost, scale: float) -> cp_model.LinearExprT:
        terms = [math.ceil(term.weight * scale) * self._product(term) for term in cost.terms]
        return sum(terms) + math.ceil(cost.constant * scale)

    def _product(self, term: CostTerm) -> cp_model.LinearExprT:
        first, *others = term.lengths
        product = self._sum(first)
        for number, other in enumerate(others):
            product = self._pair(first, other) if number == 0 else self._multiplied(product, self._sum(other))
        return product

    def _sum(self, length: Length) -> cp_model.LinearExprT:
        return length.constant + sum(count * self.widths[name] for name, count in length.occurrences.items())

    def _pair(self, first: Length, second: Length) -> cp_model.LinearExprT:
        """The product of two lengths; the same two are multiplied once."""
        owner, other = sorted((first, second), key=self._candidates)
        key = tuple((length.constant, frozenset(length.occurrences.items())) for length in (owner, other))
        if key not in self._products:
            self._products[key] = (
                self._split(owner, other)
                if len(owner.occurrences) == 1
                else self._multiplied(self._sum(owner), self._sum(other))
            )
        return self._products[key]

    def _candidates(self, length: Length) -> tuple[int, int, str]:
        """Lengths of one group come first, of those the one with the fewest candidates; the name settles ties."""
        return len(length.occurrences), *min((len(self.literals[name]), name) for name in length.occurrences)

    def _split(self, owner: Length, other: Length) -> cp_model.LinearExprT:
        ((name, count),) = owner.occurrences.items()
        least = other.constant + sum(each * min(self.literals[group]) for group, each in other.occurrences.items())
        most = other.constant + sum(each * max(self.literals[group]) for group, each in other.occurrences.items())
        parts = []
        for width, literal in self.literals[name].items():
            part = self.model.new_int_var(0, most, "")  # the other length where this candidate holds, else 0
            self.model.add(part <= most * literal)
            self.model.add(part >= least * literal)
            parts.append((owner.constant + count * width, part))
        self.model.add(sum(part for _, part in parts) == self._sum(other))
        return sum(length * part for length, part in parts)

    def _multiplied(self, first: cp_model.LinearExprT, second: cp_model.LinearExprT) -> cp_model.LinearExprT:
        product = self.model.new_int_var(0, _LARGEST, "")
        self.model.add_multiplication_equality(product, [first, second])
        return product
