import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.partition import cells_of, nodes_of
from workers.integral.rules import QuadratureRule, midpoint_rule, simpson_rule, trapezoid_rule

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)
RULES = {"midpoint": midpoint_rule, "trapezoid": trapezoid_rule, "simpson": simpson_rule}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


def uneven(size, seed=0):
    return nodes_of(cells_of(torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE) + 0.3))


def ends(rule, nodes):
    """From where to where a rule integrates."""
    return (0.0, 1.0) if rule is midpoint_rule else (float(nodes[0]), float(nodes[-1]))


def integral(degree, low, high):
    return (high ** (degree + 1) - low ** (degree + 1)) / (degree + 1)


@every_rule
@some
@given(st.integers(2, 12), st.integers(0, 99))
def test_constants_are_integrated_exactly(rule, size, seed):
    nodes = uneven(size, seed)
    assert isinstance(rule, QuadratureRule)
    low, high = ends(rule, nodes)
    assert rule(nodes).sum().item() == pytest.approx(high - low, rel=1e-12)


@pytest.mark.parametrize(("rule", "degree"), [(trapezoid_rule, 1), (simpson_rule, 2)])
@some
@given(size=st.integers(3, 12), seed=st.integers(0, 99))
def test_polynomials_of_the_right_degree_are_exact_on_uneven_nodes(rule, degree, size, seed):
    nodes = uneven(size, seed)
    for power in range(degree + 1):
        found = rule(nodes) @ nodes**power
        assert found.item() == pytest.approx(integral(power, *ends(rule, nodes)), rel=1e-10)


def test_simpson_with_equal_steps_takes_cubics_too():
    nodes = torch.linspace(0.1, 0.7, 5, dtype=DOUBLE)
    assert (simpson_rule(nodes) @ nodes**3).item() == pytest.approx(integral(3, 0.1, 0.7), rel=1e-12)


def test_simpson_by_hand():
    # 1 4 2 4 1, a third of the step each.
    weights = simpson_rule(torch.linspace(0, 1, 5, dtype=DOUBLE)) * 12
    assert weights.tolist() == pytest.approx([1, 4, 2, 4, 1], abs=1e-12)


def test_the_last_step_of_an_even_number_of_nodes():
    # The parabola of the last three gives it -1/12, 8/12 and 5/12 of the step.
    weights = simpson_rule(torch.linspace(0, 1, 4, dtype=DOUBLE)) * 3
    assert weights.tolist() == pytest.approx([1 / 3, 4 / 3 - 1 / 12, 1 / 3 + 8 / 12, 5 / 12], abs=1e-12)


def test_trapezoid_by_hand():
    # Half the distance of the neighbours; the ends have one only.
    weights = trapezoid_rule(torch.tensor([0.1, 0.3, 0.8], dtype=DOUBLE))
    assert weights.tolist() == pytest.approx([0.1, 0.35, 0.25], abs=1e-12)


def test_midpoint_cells_by_hand():
    weights = midpoint_rule(torch.tensor([0.1, 0.3, 0.8], dtype=DOUBLE))
    assert weights.tolist() == pytest.approx([0.2, 0.35, 0.45], abs=1e-12)


@every_rule
def test_a_single_node_stands_for_all(rule):
    assert rule(torch.tensor([0.3], dtype=DOUBLE)).tolist() == [1]


@pytest.mark.parametrize(("rule", "order"), [(trapezoid_rule, 2), (simpson_rule, 4)])
@pytest.mark.parametrize("function", [torch.sin, torch.exp])
def test_orders_of_convergence(rule, order, function):
    exact = {torch.sin: 1 - math.cos(1), torch.exp: math.e - 1}[function]

    def error(size):
        nodes = torch.linspace(0, 1, size, dtype=DOUBLE)
        return abs((rule(nodes) @ function(nodes)).item() - exact)

    assert math.log2(error(17) / error(33)) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("function", [torch.sin, torch.exp])
def test_the_midpoint_rule_is_of_second_order_on_middles(function):
    exact = {torch.sin: 1 - math.cos(1), torch.exp: math.e - 1}[function]

    def error(size):
        nodes = (torch.arange(size, dtype=DOUBLE) + 0.5) / size
        return abs((midpoint_rule(nodes) @ function(nodes)).item() - exact)

    assert math.log2(error(16) / error(32)) == pytest.approx(2, abs=0.1)


def test_simpson_keeps_its_order_on_uneven_nodes():
    # Nodes stretched smoothly: x^1.5.
    def error(size):
        nodes = torch.linspace(0, 1, size, dtype=DOUBLE) ** 1.5
        return abs((simpson_rule(nodes) @ torch.exp(nodes)).item() - (math.e - 1))

    assert math.log2(error(33) / error(65)) > 3


@every_rule
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_gradients_with_respect_to_the_nodes(rule, size):
    nodes = torch.tensor([0.13, 0.31, 0.55, 0.68, 0.91], dtype=DOUBLE)[:size].requires_grad_()
    assert torch.autograd.gradcheck(rule, (nodes,))
