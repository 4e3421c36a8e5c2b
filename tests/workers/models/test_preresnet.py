import torch

from workers.channels import find_groups
from workers.models import build


def test_preresnet164_has_the_published_number_of_parameters(num_parameters):
    # A block from c to 4w channels, inside w: weights c w + 9 w^2 + 4 w^2, batch norms 2 c + 4 w.
    def block(c, w):
        return c * w + 13 * w * w + 2 * c + 4 * w

    # First blocks with their 1x1 shortcuts, 17 more per stage, the stem, the last batch norm, the linear layer.
    first = block(16, 16) + 16 * 64 + block(64, 32) + 64 * 128 + block(128, 64) + 128 * 256
    rest = 17 * (block(64, 16) + block(128, 32) + block(256, 64))
    # He et al. 2016 and network slimming (table 1): 1.70 M.
    assert num_parameters(build("preresnet164")) == first + rest + 432 + 512 + 2_570 == 1_703_258


def test_a_block_adds_its_input_without_touching_it():
    block = build("preresnet", {"depth": 20}).stages[0][1].eval()
    torch.nn.init.zeros_(block.conv3.weight)
    features = torch.randn(2, 64, 8, 8)
    assert torch.equal(block(features), features)


def test_sums_tie_the_channels_of_a_stage_and_nothing_ties_the_inside_of_a_block():
    found = find_groups(build("preresnet", {"depth": 20}), (3, 32, 32))
    groups = {group.name: (group.width, group.layers) for group in found.groups}
    assert not found.refused
    assert groups["conv1"] == (16, ("conv1",))
    assert groups["stages.1.0.conv3"] == (128, ("stages.1.0.conv3", "stages.1.0.shortcut.0", "stages.1.1.conv3"))
    assert groups["stages.1.1.conv2"] == (32, ("stages.1.1.conv2",))
    # The stem, three sums, two groups inside each of six blocks.
    assert len(groups) == 1 + 3 + 12
