"""In which way a graph is read."""

import numpy as np

from workers.channels.labelling import Labelling
from workers.channels.reading import Reading


def labelled(**sizes):
    """Calls whose results have one axis of fresh atoms each."""
    labelling = Labelling()
    labelling.results.update({site: (labelling.book.atoms.fresh(size),) for site, size in sizes.items()})
    return labelling


def test_coupled_axes_have_the_same_channels():
    labelling = labelled(one=3, other=3)
    Reading(couplings=frozenset({(("one", 0), ("other", 0))})).couple(labelling)
    assert np.array_equal(labelling.book.atoms.roots(), [0, 1, 2, 0, 1, 2])


def test_axes_of_other_sizes_and_calls_that_are_not_there_are_left_alone():
    labelling = labelled(one=3, shorter=2)
    pairs = {(("one", 0), ("shorter", 0)), (("gone", 0), ("one", 0)), (("one", 1), ("shorter", 0))}
    Reading(couplings=frozenset(pairs)).couple(labelling)
    assert np.array_equal(labelling.book.atoms.roots(), np.arange(5))
