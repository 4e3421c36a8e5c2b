import pytest
import torch
from torch.nn import functional

from workers.reconstruction.windows import count_rows, inputs_at, outputs_at


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        ((3, 3), {}),
        ((3, 3), {"padding": 1, "stride": 2}),
        ((1, 3), {"padding": (0, 2), "dilation": (1, 2)}),
        ((2, 3), {"padding": "same", "dilation": 2}),
        ((3, 3), {"padding": "valid", "stride": (2, 1)}),
        ((3, 3), {"padding": 1, "groups": 2}),
        ((3, 3), {"padding": 1, "groups": 4}),
    ],
    ids=str,
)
def test_inputs_times_weight_are_the_outputs_of_a_convolution(draw, kernel, arguments):
    images = torch.randn(2, 4, 7, 6, generator=draw)
    groups = arguments.get("groups", 1)
    weight = torch.randn(8, 4 // groups, *kernel, generator=draw)
    outputs = functional.conv2d(images, weight, **arguments)
    rows = torch.randperm(count_rows(outputs, 1), generator=draw)
    inputs = inputs_at("conv2d", (images, weight), arguments, rows)
    made = torch.einsum("nbf,bof->nbo", inputs, weight.reshape(groups, 8 // groups, -1)).flatten(1)
    torch.testing.assert_close(made, outputs_at(outputs, 1, rows), rtol=1e-4, atol=1e-5)


def test_inputs_times_weight_are_the_outputs_of_a_linear_layer_on_tokens(draw):
    tokens, weight = torch.randn(2, 5, 3, generator=draw), torch.randn(4, 3, generator=draw)
    outputs = functional.linear(tokens, weight)
    assert count_rows(outputs, -1) == 10  # 2 images of 5 tokens
    rows = torch.tensor([7, 0])
    inputs = inputs_at("linear", (tokens,), {"weight": weight}, rows)
    torch.testing.assert_close(inputs[:, 0] @ weight.mT, outputs_at(outputs, -1, rows))
    assert torch.equal(inputs[0, 0], tokens[1, 2])  # row 7 is the third token of the second image
