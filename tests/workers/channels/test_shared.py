"""Weights that are used several times, regions of a network, types that it changes, and borders."""

import torch
from torch import nn

from workers.channels import MacCount, count_parameters, find_groups, load_resized, select
from workers.channels.proof import prove
from workers.measure import count_macs

SHAPE = (3, 8, 8)


def analysed(model):
    """The map; that cut and masked network agree is checked on the way."""
    torch.manual_seed(0)
    found = find_groups(model, SHAPE)
    proof = prove(model, SHAPE, found, ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof
    return found


class Pyramid(nn.Module):
    """Two levels, one head for both."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.tower, self.norm, self.scores = nn.Conv2d(6, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Conv2d(5, 2, 1)

    def forward(self, x):
        return [self.scores(self.norm(self.tower(level)).relu()) for level in (self.fine(x), self.coarse(x))]


class TestAHeadForAllLevels:
    def test_is_one_group_with_what_it_reads(self):
        found = analysed(Pyramid())
        assert found.widths() == {"fine": 6, "tower": 5}
        assert found.groups[0].layers == ("fine", "coarse")

    def test_parameters_count_once_and_macs_at_every_use(self):
        model = Pyramid().eval()
        found = find_groups(model, SHAPE)
        load_resized(model, select(model.state_dict(), found, {"fine": range(4), "tower": range(3)}))
        assert count_parameters(found, {"fine": 4, "tower": 3}) == sum(each.numel() for each in model.parameters())
        assert MacCount(found)({"fine": 4, "tower": 3}) == count_macs(model, SHAPE)


class Repeated(nn.Module):
    """A convolution after itself, with the same slopes behind both."""

    def __init__(self):
        super().__init__()
        self.stem, self.middle, self.slopes = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.slopes(self.middle(self.stem(x)))
        return self.head(self.slopes(self.middle(x))).mean((2, 3))


def test_a_layer_after_itself_has_equal_inputs_and_outputs():
    found = analysed(Repeated())
    assert [(group.width, group.layers) for group in found.groups] == [(8, ("stem", "middle"))]


class Tied(nn.Module):
    """A table of words, whose rows also score words; a stem puts words in order of brightness."""

    def __init__(self):
        super().__init__()
        self.table, self.up, self.down = nn.Embedding(9, 6), nn.Linear(6, 7), nn.Linear(7, 6)
        self.scores = nn.Linear(6, 9, bias=False)
        self.scores.weight = self.table.weight

    def forward(self, x):
        words = self.table((x.mean((2, 3)).sigmoid() * 9).long())
        return self.scores(words + self.down(self.up(words).relu()))


def test_a_tensor_with_two_names_is_cut_once_and_stays_one():
    model = Tied()
    found = analysed(model)
    assert found.widths() == {"table": 6, "up": 7}
    load_resized(model, select(model.state_dict(), found, {"table": [0, 2, 5]}))
    assert model.scores.weight is model.table.weight
    assert count_parameters(found, {"table": 3}) == sum(each.numel() for each in model.parameters())


class Regions(nn.Module):
    """Frozen layers under `no_grad`, another type of numbers, and a float64 buffer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3).requires_grad_(False), nn.Conv2d(6, 5, 3).bfloat16()
        self.register_buffer("offset", torch.randn(5, dtype=torch.float64))
        self.head = nn.Linear(5, 4)

    def forward(self, x):
        with torch.no_grad():
            x = self.first(x.float()).relu()
        x = self.second(x.bfloat16()).mean((2, 3))
        return self.head((x + self.offset).float())


def test_regions_and_types_are_no_obstacle():
    model = Regions()
    assert analysed(model).widths() == {"first": 6, "second": 5}
    small = select(model.state_dict(), find_groups(model, SHAPE), {"second": [1, 3]})
    assert (small["second.weight"].dtype, small["offset"].dtype) == (torch.bfloat16, torch.float64)


class Recurrent(nn.Module):
    """Convolutions, the rows of an image one after the other, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 5, 3, padding=1)
        self.rows, self.up, self.head = nn.GRU(5 * 8, 4, batch_first=True), nn.Linear(4, 7), nn.Linear(7, 2)

    def forward(self, x):
        x = self.second(self.first(x).relu()).permute(0, 2, 1, 3).flatten(2)
        return self.head(self.up(self.rows(x)[0][:, -1]).relu())


def test_a_recurrent_layer_is_a_border():
    found = analysed(Recurrent())
    assert found.widths() == {"first": 6, "up": 7}
    (refused,) = found.refused
    assert refused.layers[:2] == ("second", "rows.weight_hh_l0")
    assert refused.reason == "a recurrent layer keeps its inputs and its outputs"


class PaddedShortcut(nn.Module):
    """Shortcuts with channels of zeros, as people write them."""

    def __init__(self, shortcut):
        super().__init__()
        self.stem, self.wide, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1), nn.Linear(8, 4)
        self.shortcut = shortcut

    def forward(self, x):
        x = self.stem(x).relu()
        return self.head((self.wide(x) + self.shortcut(x[:, :, ::2, ::2])).relu().mean((2, 3)))


def test_a_shortcut_with_zeros_beside_it():
    beside = analysed(PaddedShortcut(lambda x: torch.cat([x, torch.zeros_like(x)], 1)))
    assert [(group.width, group.layers) for group in beside.groups] == [(4, ("stem", "wide"))]
