from functools import partial

import pytest
import torch
import torch._dynamo
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe
from workers.execution import (
    InPrecision,
    check_execution,
    compute_in_full,
    in_memory_format,
    largest_difference,
    running,
)


def recipe(**given):
    return Recipe(epochs=1, **given)


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


def test_a_network_that_views_its_features_says_so():
    class Viewing(nn.Module):
        def forward(self, images):
            return images.view(len(images), -1)

    images = torch.rand(2, 3, 4, 4)
    assert InPrecision(Viewing(), "float32")(images).shape == (2, 48)
    with pytest.raises(BadInputError, match=r"by `view`, .* use `reshape` or `flatten` in its code"):
        InPrecision(Viewing(), "float32", channels_last=True)(images)


def test_the_difference_is_relative_to_the_largest_output(linear):
    inputs, half = torch.rand(4, 16), InPrecision(linear, "bfloat16")
    expected = (half(inputs) - linear(inputs)).abs().max() / linear(inputs).abs().max()
    assert largest_difference(half, linear, inputs) == pytest.approx(expected.item())
    assert largest_difference(linear, linear, inputs) == 0


def test_outputs_whose_number_differs_are_not_compared():
    class Found(nn.Module):
        def forward(self, batch):
            return batch[: 1 + torch.is_autocast_enabled("cpu")]

    assert largest_difference(InPrecision(Found(), "bfloat16"), Found(), torch.rand(4, 2)) is None


def test_float16_needs_a_gpu():
    check_execution(recipe(precision="bfloat16"), "cpu")
    check_execution(recipe(precision="float16"), "cuda")
    with pytest.raises(BadInputError, match="for GPUs"):
        check_execution(recipe(precision="float16"), "cpu")


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setenv("PATH", "")
    check_execution(recipe(), "cpu")
    check_execution(recipe(compile=True), "cuda")
    with pytest.raises(BadInputError, match=r"needs a C\+\+ compiler on the CPU; install g\+\+"):
        check_execution(recipe(compile=True), "cpu")


def test_as_ever_a_network_runs_itself(linear):
    assert running(linear, recipe()) is linear


@pytest.mark.parametrize(("asked", "mode"), [(True, None), ("reduce-overhead", "reduce-overhead")])
def test_compiled_it_has_static_shapes(monkeypatch, linear, asked, mode):
    found = []
    monkeypatch.setattr(torch, "compile", lambda network, **how: found.append(how) or network)
    running(linear, recipe(compile=asked))
    assert found == [{"mode": mode, "dynamic": False}]


def test_any_number_of_networks_of_a_class_is_compiled(monkeypatch):
    class Two(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.into, self.out = nn.Linear(4, width), nn.Linear(width, 2)

        def forward(self, batch):
            return self.out(self.into(batch).relu())

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for width in (3, 5, 7):
            assert running(Two(width), recipe(compile=True))(torch.rand(2, 4)).shape == (2, 2)
    torch.compiler.reset()


def test_weights_of_convolutions_are_channels_last_for_a_while():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 2))
    weight, before = model[0].weight, model[0].weight.detach().clone()
    with in_memory_format(model, recipe(channels_last=True)):
        assert model[0].weight is weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert not weight.is_contiguous()
    assert weight.is_contiguous()
    assert torch.equal(weight, before)


def test_single_precision_is_the_whole_one():
    compute_in_full()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32
