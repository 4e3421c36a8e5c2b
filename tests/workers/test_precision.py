import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.precision import InPrecision, check_precision, compute_in_full, precision_difference


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(16, 3)


def test_outputs_are_in_single_precision_whatever_it_computes_in(linear):
    inputs = torch.rand(4, 16)
    found = InPrecision(linear, "bfloat16")(inputs)
    assert found.dtype == linear.weight.dtype == torch.float32
    assert torch.equal(found, found.bfloat16().float())
    assert not torch.equal(found, linear(inputs))
    assert torch.equal(InPrecision(linear, "float32")(inputs), linear(inputs))


def test_outputs_keep_their_structure():
    class Two(nn.Module):
        def forward(self, batch):
            return {"out": batch @ batch.T, "count": torch.tensor(3)}

    found = InPrecision(Two(), "bfloat16")(torch.rand(2, 2))
    assert (found["out"].dtype, int(found["count"])) == (torch.float32, 3)


def test_images_have_the_channels_innermost_and_other_inputs_stay():
    class Formats(nn.Module):
        def forward(self, images, further):
            return images.is_contiguous(memory_format=torch.channels_last), further.is_contiguous()

    run = InPrecision(Formats(), "float32", channels_last=True)
    assert run(torch.rand(2, 3, 4, 4), further=torch.rand(2, 3)) == (True, True)


def test_the_difference_is_relative_to_the_largest_output(linear):
    inputs = torch.rand(4, 16)
    expected = (InPrecision(linear, "bfloat16")(inputs) - linear(inputs)).abs().max() / linear(inputs).abs().max()
    assert precision_difference(linear, "bfloat16", inputs) == pytest.approx(expected.item())
    assert precision_difference(linear, "float32", inputs) == 0


def test_outputs_whose_number_differs_are_not_compared():
    class Found(nn.Module):
        def forward(self, batch):
            return batch[: 1 + torch.is_autocast_enabled("cpu")]

    assert precision_difference(Found(), "bfloat16", torch.rand(4, 2)) is None


def test_float16_needs_a_gpu():
    check_precision("bfloat16", "cpu")
    check_precision("float16", "cuda")
    with pytest.raises(BadInputError, match="for GPUs"):
        check_precision("float16", "cpu")


def test_single_precision_is_the_whole_one():
    compute_in_full()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32
