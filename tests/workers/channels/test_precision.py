"""Networks that change the types of their numbers, in double precision."""

import pytest
import torch
from torch import nn

from workers.channels import InDouble

CASTS = {
    "float": lambda x: x.float(),
    "to a type": lambda x: x.to(torch.float32),
    "to a type by name": lambda x: x.to(dtype=torch.float32),
    "to a device and type": lambda x: x.to("cpu", torch.float32),
    "type": lambda x: x.type(torch.float32),
    "bytes": lambda x: (x * 255).to(torch.uint8).float(),
    "type_as": lambda x: x.type_as(torch.zeros(1)),
    "to another's type": lambda x: x.to(torch.zeros(1)),
    "half": lambda x: x.half().float(),
    "bfloat16": lambda x: x.bfloat16(),
    "softmax": lambda x: x.softmax(1, dtype=torch.float32),
    "sum": lambda x: x + x.sum(dtype=torch.float32),
    "new numbers": lambda x: torch.cat([x[:, :1], torch.ones(2, 2, 4, 4)], 1).float(),
    "only new numbers": lambda x: torch.ones(2, 3, 4, 4, dtype=torch.float32),
}


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize("cast", CASTS)
def test_whatever_type_is_asked_for_a_layer_computes_in_double_precision(cast, mode):
    layer, x = nn.Conv2d(3, 2, 1).double(), torch.rand(2, 3, 4, 4, dtype=torch.float64)
    with mode(), InDouble():
        result = layer(CASTS[cast](x))
    assert result.dtype is torch.float64


@pytest.mark.parametrize("cast", ["float", "to a type", "type", "half"])
def test_no_digit_is_lost(cast):
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    with torch.inference_mode(), InDouble():
        assert torch.equal(CASTS[cast](x), x)


def test_a_tensor_is_written_to_in_its_place():
    place, x = torch.zeros(3), torch.rand(3, dtype=torch.float64)
    with torch.inference_mode(), InDouble():
        place[1:].copy_(x[1:]).add_(1.0)
    torch.testing.assert_close(place, torch.cat([torch.zeros(1), x[1:].float() + 1]))
