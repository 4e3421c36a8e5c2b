import pytest
import torch

from jobs.errors import BadInputError
from jobs.spec.inputs import TensorSpec
from workers.inputs import InputSpec, as_spec

TOKENS = TensorSpec(shape=(4,), dtype="int64", low=3, high=6)
MASK = TensorSpec(shape=(4,), dtype="bool")
IMAGE = TensorSpec(shape=(3, 8, 8))


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("spec", "document"),
    [
        (InputSpec.of_shape((3, 8, 8)), {"input_shape": [3, 8, 8]}),
        (InputSpec.of([IMAGE]), {"input_shape": [3, 8, 8]}),
        (InputSpec.of([TOKENS]), {"inputs": [{"shape": [4], "dtype": "int64", "low": 3, "high": 6}]}),
        (InputSpec.of([IMAGE, IMAGE]), {"inputs": [{"shape": [3, 8, 8]}] * 2}),
        (InputSpec.of({"image": IMAGE}), {"inputs": {"image": {"shape": [3, 8, 8]}}}),
    ],
)
def test_one_image_is_written_as_its_shape_and_all_else_as_inputs(spec, document):
    assert spec.document() == document
    assert InputSpec.from_document(document) == spec


def test_one_tensor_is_drawn_as_torch_draws_it():
    drawn = as_spec((3, 8, 8)).draw(2, seeded(), torch.float64)
    assert torch.equal(drawn, torch.rand(2, 3, 8, 8, generator=seeded(), dtype=torch.float64))


def test_examples_have_the_names_the_types_and_the_range_that_are_asked_for():
    drawn = InputSpec.of({"ids": TOKENS, "mask": MASK, "image": IMAGE}).draw(50, seeded(), floats="ones")
    assert [each.dtype for each in drawn.values()] == [torch.int64, torch.bool, torch.float32]
    assert drawn["ids"].unique().tolist() == [3, 4, 5]
    assert drawn["mask"].unique().tolist() == [False, True]
    assert bool((drawn["image"] == 1).all())


def test_blank_inputs_have_shapes_alone_and_fractions_of_the_networks_type():
    tokens, image = InputSpec.of([TOKENS, IMAGE]).blank(2, torch.float64)
    assert tokens.is_meta
    assert (tokens.dtype, image.dtype, image.shape) == (torch.int64, torch.float64, (2, 3, 8, 8))


def test_a_sample_shows_shapes_types_and_the_range_of_whole_numbers():
    sample = {"ids": torch.tensor([3, 5, 5, 4]), "mask": torch.ones(4, dtype=torch.bool), "image": torch.rand(3, 8, 8)}
    assert InputSpec.of_sample(sample) == InputSpec.of({"ids": TOKENS, "mask": MASK, "image": IMAGE})
    with pytest.raises(BadInputError, match="complex64"):
        InputSpec.of_sample(torch.zeros(2, dtype=torch.complex64))


def test_what_the_sweep_says_has_to_be_what_the_data_gives():
    said = InputSpec.of([IMAGE, TOKENS])
    said.check_like((torch.rand(3, 9, 9), torch.tensor([1])))  # of other shapes
    with pytest.raises(BadInputError, match=r"the sweep says 2 inputs .* a sample of the data has shape \(3, 8, 8\)"):
        said.check_like(torch.rand(3, 8, 8))
    with pytest.raises(BadInputError, match=r"int64.* has 1 input \(ids: shape \(2,\) of int64\)"):
        InputSpec.of({"tokens": TOKENS}).check_like({"ids": torch.tensor([1, 2])})


def test_what_is_for_one_image_alone_says_so():
    assert as_spec((1, 8, 8)).one_shape("MLflow") == (1, 8, 8)
    with pytest.raises(BadInputError, match=r"MLflow: takes networks of one .*; this one takes 2 inputs"):
        InputSpec.of([IMAGE, IMAGE]).one_shape("MLflow")
