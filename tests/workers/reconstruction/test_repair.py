import pytest
import torch
from torch import nn

from workers.channels import find_groups, fold_model
from workers.models import build
from workers.reconstruction import repair, selection

ZOO = {
    "plain": {"widths": [8, 12]},
    "resnet": {"widths": [6, 8]},
    "densenet": {"layers": 2, "growth": 4},
}


def losses(dense, networks, images):
    """Mean squared distance from the dense network's outputs."""
    with torch.inference_mode():
        expected = torch.cat([dense(batch) for batch in images])
        return [
            float((torch.cat([network(batch) for batch in images]) - expected).square().mean()) for network in networks
        ]


def repaired(dense, images, compare, cut):
    reference, channel_map = compare(dense, images, positions=64)
    kept = {group.name: torch.arange(1, group.width) for group in channel_map.groups}
    smaller = cut(dense, channel_map, kept)
    restriction = selection(channel_map, kept)
    fixed = cut(dense, channel_map, kept)
    return smaller, fixed, repair(fixed, reference, restriction)


@pytest.mark.parametrize("folded", [False, True], ids=["norms", "folded"])
@pytest.mark.parametrize("network", ZOO)
def test_a_repaired_network_is_nearer_to_the_dense_one(network, folded, images, compare, cut, lived):
    dense = lived(build(network, ZOO[network]))
    if folded:
        fold_model(dense, (3, 8, 8))
    smaller, fixed, refits = repaired(dense, images, compare, cut)
    before, after = losses(dense, [smaller, fixed], images)
    assert after < 0.3 * before
    assert all(refit.after <= refit.before for refit in refits)
    assert refits[0].before == pytest.approx(0, abs=1e-10)  # the first layer sees the images, as ever


class Scaled(nn.Module):
    """A residual block whose branch is scaled in the sum."""

    def __init__(self, alpha):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.second, self.alpha = nn.Conv2d(8, 8, 3, padding=1), alpha

    def forward(self, images):
        features = self.stem(images).relu()
        return torch.add(features, self.second(self.first(features).relu()), alpha=self.alpha).flatten(1)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
def test_a_branch_that_is_scaled_in_the_sum_is_repaired_by_itself(alpha, images, compare, cut):
    dense = Scaled(alpha).eval()
    reference, channel_map = compare(dense, images, positions=64)
    kept = {"first": torch.arange(4)}
    smaller, fixed = cut(dense, channel_map, kept), cut(dense, channel_map, kept)
    repair(fixed, reference, selection(channel_map, kept))
    before, after = losses(dense, [smaller, fixed], images)
    assert after < 0.7 * before


def test_a_whole_network_stays_as_it_is(images, compare, lived):
    dense = lived(build("resnet", ZOO["resnet"]))
    state = {name: tensor.clone() for name, tensor in dense.state_dict().items()}
    reference, _ = compare(dense, images)
    repair(dense, reference, {})
    assert all(torch.equal(state[name], tensor) for name, tensor in dense.state_dict().items())


def test_the_last_layer_of_a_block_makes_up_for_what_the_shortcut_lacks(images, compare, cut, lived):
    """The stem is broken: the error comes over the shortcut, and the block's last layer is refitted to the sum."""
    dense = lived(build("resnet", {"widths": [6]}))
    reference, _ = compare(dense, images)
    broken = cut(dense, find_groups(dense, (3, 8, 8)), {})
    broken.bn1.bias.data += 0.3
    site = next(site for site in reference.sites if site.layer == "layer1.0.conv2")
    (before,) = losses(dense, [broken], images)
    repair(broken, _Only(reference, site), {})
    (after,) = losses(dense, [broken], images)
    assert after < 0.1 * before


class _Only:
    """A reference at one site."""

    def __init__(self, reference, site):
        self.sites, self.sums = [site], reference.sums
