"""Networks that remember something of a call, or read a number from a tensor, as detectors in one stage do."""

import pytest
import torch
from torch import nn

from workers.channels import find_groups, load_resized
from workers.channels.proof import prove

SHAPE = (3, 32, 32)


class Split(nn.Module):
    """Halves of a convolution's result, one of them convolved again, all side by side."""

    def __init__(self, before, after):
        super().__init__()
        self.first, self.inner = nn.Conv2d(before, 8, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(12, after, 1)

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        parts.append(parts[-1] + self.inner(parts[-1]).relu())
        return self.last(torch.cat(parts, 1)).relu()


class Pools(nn.Module):
    """The same map pooled again and again, side by side."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, 4, 1), nn.Conv2d(12, channels, 1)
        self.pool = nn.MaxPool2d(3, 1, 1)

    def forward(self, x):
        maps = [self.first(x)]
        maps += [self.pool(maps[0]), self.pool(self.pool(maps[0]))]
        return self.last(torch.cat(maps, 1))


class Head(nn.Module):
    """Boxes as expected distances from anchors, which are made at the first call for every size of the features."""

    def __init__(self, widths, bins=4, classes=3):
        super().__init__()
        self.bins, self.shape, self.stride = bins, None, torch.tensor([4.0, 8.0])
        self.boxes = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 5, 1), nn.ReLU(), nn.Conv2d(5, 4 * bins, 1)) for w in widths
        )
        self.classes = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 6, 1), nn.ReLU(), nn.Conv2d(6, classes, 1)) for w in widths
        )
        self.expected = nn.Conv2d(bins, 1, 1, bias=False).requires_grad_(False)

    def anchors_of(self, maps):
        points, strides = [], []
        for number, each in enumerate(maps):
            down, right = (torch.arange(size).type_as(maps[0]) + 0.5 for size in each.shape[2:])
            points.append(torch.stack(torch.meshgrid(right, down, indexing="ij"), -1).view(-1, 2))
            strides.append(maps[0].new_full((len(points[-1]), 1), self.stride[number]))
        return torch.cat(points).t(), torch.cat(strides).t()

    def forward(self, maps):
        n = maps[0].shape[0]
        boxes = torch.cat([box(x).view(n, 4 * self.bins, -1) for box, x in zip(self.boxes, maps, strict=True)], 2)
        scores = torch.cat([each(x).flatten(2) for each, x in zip(self.classes, maps, strict=True)], 2)
        if self.shape != maps[0].shape:
            self.shape = maps[0].shape
            self.anchors, self.strides = self.anchors_of(maps)
        near, far = self.expected(boxes.view(n, 4, self.bins, -1).transpose(1, 2).softmax(1)).view(n, 4, -1).chunk(2, 1)
        corners = torch.cat([self.anchors - near, self.anchors + far], 1) * self.strides
        return torch.cat([corners, scores.sigmoid()], 1)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.down = nn.Conv2d(3, 5, 3, 4, 1), Split(5, 6), nn.Conv2d(6, 7, 3, 2, 1)
        self.two, self.up, self.head = Pools(7), nn.Upsample(scale_factor=2), Head((13, 7))

    def forward(self, x):
        near = self.one(self.stem(x).relu())
        far = self.two(self.down(near).relu())
        return self.head([torch.cat([self.up(far), near], 1), far])


@pytest.fixture(scope="module")
def found():
    return find_groups(Detector(), SHAPE)


class TestADetectorInOneStage:
    def test_all_but_boxes_and_classes_can_go(self, found):
        towers = {f"head.{kind}.{level}.0": width for kind, width in (("boxes", 5), ("classes", 6)) for level in (0, 1)}
        inside = {"stem": 5, "one.first": 4, "one.last": 6, "down": 7, "two.first": 4, "two.last": 7}
        assert found.widths() == inside | towers

    def test_box_outputs_are_refused_by_name(self, found):
        (refused,) = found.refused
        assert (refused.where, refused.layers) == (
            "head.expected",
            ("head.boxes.0.2", "head.boxes.1.2", "head.expected"),
        )

    def test_cut_and_masked_agree(self, found):
        proof = prove(Detector(), SHAPE, found, ratio=0.4, generator=torch.Generator().manual_seed(0))
        assert proof.holds(1e-9)
        assert proof.change > 0

    def test_the_groups_are_the_same_once_it_has_run(self, found):
        model = Detector()
        model(torch.zeros(1, *SHAPE))
        assert find_groups(model, SHAPE).widths() == found.widths()


def test_hooks_that_a_library_sets_at_the_first_call_are_set_again():
    class Collecting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 5, 1))
            self.last = nn.Conv2d(6, 2, 1)
            self.seen = []

        def forward(self, x):
            if not getattr(self, "_output_capturing_hooks_installed", False):
                self.layers[0].register_forward_hook(lambda layer, inputs, result: self.seen.append(result))
                self._output_capturing_hooks_installed = True
            self.layers(x)
            return self.last(self.seen.pop())

    model = Collecting()
    model(torch.zeros(1, *SHAPE))
    assert find_groups(model, SHAPE).widths()["layers.0"] == 6


class Looking(nn.Module):
    """Adds a table that is looked up once: at the first evaluation, or whenever the network is switched to it."""

    def __init__(self, early):
        super().__init__()
        self.table, self.early, self.kept = nn.Parameter(torch.zeros(3, 2)), early, {}
        self.register_buffer("places", torch.tensor([1, 0, 1]))

    def train(self, mode=True):
        super().train(mode)
        self.kept = {} if mode or not self.early else {"all": self.table[:, self.places].detach()}
        return self

    def forward(self, x):
        if self.training:
            return x + self.table[:, self.places]
        if "all" not in self.kept:
            self.kept["all"] = self.table[:, self.places].detach()
        return x + self.kept["all"]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_what_is_looked_up_once_is_looked_up_again_in_new_tensors(early, training):
    inner = Looking(early)
    model = nn.Sequential(inner, nn.Dropout()).eval()
    model(torch.zeros(3, 3))
    model[1].train(training)
    new = {"0.table": torch.rand(3, 2), "0.places": inner.places}
    load_resized(model, new)
    assert torch.equal(inner(torch.zeros(3, 3)), new["0.table"][:, [1, 0, 1]])
    assert [module.training for module in model.modules()] == [False, False, training]
