import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.inputs import call, form_of, num_samples, one_by_one, stack, take, to_device

LEFT, RIGHT = torch.arange(6.0).view(3, 2), torch.arange(3)
FORMS = [LEFT, (LEFT, RIGHT), {"left": LEFT, "right": RIGHT}]


class Sum(nn.Module):
    def forward(self, left, right=1):
        return left.sum(1) + right


@pytest.mark.parametrize(("inputs", "right"), [(FORMS[0], 1), (FORMS[1], RIGHT), (FORMS[2], RIGHT)])
def test_a_network_is_called_with_a_tensor_a_tuple_or_names(inputs, right):
    assert torch.equal(call(Sum(), inputs), LEFT.sum(1) + right)


@pytest.mark.parametrize("inputs", FORMS)
def test_samples_that_are_stacked_again_are_the_batch(inputs):
    samples = [take(inputs, index) for index in range(num_samples(inputs))]
    assert len(samples) == 3
    assert len({form_of(sample) for sample in samples}) == 1
    again = stack(samples)
    assert type(again) is type(inputs)
    assert torch.equal(call(Sum(), again), call(Sum(), inputs))


@pytest.mark.parametrize("inputs", FORMS)
def test_batches_of_one_sample_give_what_the_batch_gives(inputs):
    outputs = torch.cat([call(Sum(), sample) for sample in one_by_one(to_device(inputs, "cpu"))])
    assert torch.equal(outputs, call(Sum(), inputs))


@pytest.mark.parametrize(("inputs", "said"), [((LEFT, RIGHT[:2]), "of 2, 3 samples"), ({}, "none")])
def test_a_batch_has_one_number_of_samples(inputs, said):
    with pytest.raises(BadInputError, match=said):
        num_samples(inputs)


def test_samples_of_other_arguments_are_told_apart():
    assert len({form_of(sample) for sample in (LEFT, (LEFT,), {"left": LEFT}, {"right": LEFT}, LEFT[:2])}) == 5
    with pytest.raises(BadInputError, match="a tuple beside others that are mappings"):
        stack([{"left": LEFT}, (LEFT,)])


def test_an_input_that_is_no_tensor_is_said():
    with pytest.raises(BadInputError, match="has a int among its inputs; give tensors"):
        form_of((LEFT, 1))
