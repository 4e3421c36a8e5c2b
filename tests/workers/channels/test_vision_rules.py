"""Operators of torchvision between a stem and a linear head."""

import pytest
import torch
from torch import nn
from torchvision.ops import DeformConv2d, nms, roi_align, roi_pool

from workers.channels import find_groups
from workers.channels.proof import prove

SHAPE = (3, 8, 8)


class Network(nn.Module):
    """A stem of 6 channels, a body given as a function of (self, x), and a head of 5 units."""

    def __init__(self, body, read, **layers):
        super().__init__()
        self.stem, self.first, self.last = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(read, 5), nn.Linear(5, 2)
        self.body = body
        self.register_buffer("boxes", torch.tensor([[0.0, 0.0, 5.0, 5.0], [1.0, 2.0, 7.0, 6.0]]))
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.last(self.first(self.body(self, self.stem(x).relu()).flatten(1)).relu())


def analysed(model):
    """The groups; that cut and masked network agree is checked on the way."""
    torch.manual_seed(0)
    found = find_groups(model, SHAPE)
    proof = prove(model, SHAPE, found, ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9)
    assert proof.change > 0
    return found


@pytest.mark.parametrize("pool", [roi_align, roi_pool])
def test_channels_pass_a_pooling_over_regions(pool):
    model = Network(lambda self, x: pool(x, [self.boxes] * x.shape[0], output_size=3), read=54)
    assert analysed(model).widths() == {"stem": 6, "first": 5}


def test_a_deformable_convolution_is_one():
    model = Network(
        lambda self, x: self.layer(x, self.offsets(x)).amax((2, 3)),
        read=7,
        layer=DeformConv2d(6, 7, 3, padding=1),
        offsets=nn.Conv2d(6, 18, 1),
    )
    found = analysed(model)
    assert found.widths() == {"stem": 6, "layer": 7, "first": 5}
    (refused,) = found.refused  # an offset is a place
    assert (refused.layers, refused.operator) == (("offsets",), "torchvision.deform_conv2d.default")


def test_regions_made_of_channels_are_refused_by_the_name_of_the_operator():
    def body(self, x):
        rows = torch.cat([torch.zeros_like(x[:, :1, 0, 0]), x.mean((2, 3))[:, :4].abs()], 1)
        return roi_align(x, rows, output_size=2)

    found = find_groups(Network(body, read=24), SHAPE)
    assert found.widths() == {"first": 5}
    assert {group.operator for group in found.refused} == {"torchvision.roi_align.default"}


def test_what_sorts_out_boxes_keeps_what_it_reads():
    def body(self, x):
        scores = self.layer(x.mean((2, 3)))[0]
        return x.amax((2, 3)) * nms(self.boxes, scores, 0.5).sum()

    found = find_groups(Network(body, read=6, layer=nn.Linear(6, 2)), SHAPE)
    assert found.widths() == {"stem": 6, "first": 5}
    assert [(group.operator, group.layers) for group in found.refused] == [("torchvision.nms.default", ("layer",))]
