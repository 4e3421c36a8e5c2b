import torch

from workers.export.sparsity import Sparsity, is_two_of_four, sparsity_of


def test_two_of_any_four_neighbours_along_the_inputs():
    weight = torch.tensor([[1.0, 0, 0, 2, 0, 0, 0, 3], [0, 0, 1, 1, 1, 1, 0, 0]])
    assert is_two_of_four(weight)
    weight[0, 1] = 1  # three of the first four
    assert not is_two_of_four(weight)


def test_groups_begin_at_multiples_of_four():
    assert is_two_of_four(torch.tensor([[0.0, 0, 1, 1, 1, 1, 0, 0]]))  # four in a row, but two and two
    assert not is_two_of_four(torch.tensor([[0.0, 1, 1, 1, 1, 0, 0, 0]]))


def test_of_a_convolution_the_inputs_are_the_second_axis():
    weight = torch.zeros(2, 4, 3, 3)
    weight[:, 1:3] = 1  # everywhere in the kernel two of four inputs
    assert is_two_of_four(weight)
    assert not is_two_of_four(weight.movedim(1, -1).contiguous())


def test_an_axis_that_is_no_multiple_of_four_long_has_no_pattern():
    assert not is_two_of_four(torch.zeros(2, 6))
    assert not is_two_of_four(torch.zeros(8))


def test_the_fraction_of_zeros_is_that_of_each_parameter():
    state = {"a": torch.tensor([[0.0, 0, 0, 1]]), "b": torch.tensor([[1.0, 1, 1, 0]]), "c": torch.zeros(4)}
    assert sparsity_of(state, {"b", "a"}) == {
        "a": Sparsity(zeros=0.75, two_of_four=True),
        "b": Sparsity(zeros=0.25, two_of_four=False),
    }
