import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.channels.atoms import Atoms, Obstacle

REASON = Obstacle(operator="add", where="block", reason="test")


@settings(deadline=None)  # the first call imports scipy
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_roots_are_the_smallest_atoms_of_the_components(edges):
    atoms = Atoms()
    atoms.fresh(20)
    component = list(range(20))
    for left, right in edges:
        atoms.join(np.array([left]), np.array([right]), REASON)
        low, high = sorted((component[left], component[right]))
        component = [low if root == high else root for root in component]
    assert atoms.roots().tolist() == component


def test_an_atom_that_meets_no_channel_is_fixed_with_all_that_it_is_joined_with():
    atoms = Atoms()
    one, other = atoms.fresh(2), atoms.fresh(2)
    atoms.join(one, other, REASON)
    result = atoms.join(other, np.array([-1, 1]), REASON)
    roots = atoms.roots()
    fixed, obstacles = atoms.obstacles(roots)
    assert result.tolist() == [-1, 3]
    assert fixed[roots].tolist() == [0, -1, 0, -1]
    assert obstacles == [REASON]


def test_tied_rows_are_one_component_each():
    atoms = Atoms()
    labels = atoms.tie(atoms.fresh(6).reshape(2, 3), REASON)
    assert atoms.roots()[labels].tolist() == [0, 3]
    assert atoms.roots().tolist() == [0, 0, 0, 3, 3, 3]


def test_a_row_with_an_index_that_is_no_channel_is_fixed_whole():
    atoms = Atoms()
    table = atoms.fresh(6).reshape(2, 3).copy()
    table[1, 2] = -1
    assert atoms.tie(table, REASON).tolist() == [0, -1]
    roots = atoms.roots()
    assert (atoms.obstacles(roots)[0][roots] >= 0).tolist() == [False, False, False, True, True, False]


def test_a_reportable_obstacle_goes_before_a_quiet_one():
    atoms = Atoms()
    labels = atoms.fresh(1)
    atoms.fix(labels, Obstacle(operator="output", where="", reason="", quiet=True))
    atoms.fix(labels, REASON)
    fixed, obstacles = atoms.obstacles(atoms.roots())
    assert obstacles[fixed[0]] == REASON
