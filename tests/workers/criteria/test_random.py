import torch

from workers.channels import find_groups
from workers.criteria.random import random
from workers.models import build


def draw(seed, init=0):
    torch.manual_seed(init)
    module = build("plain", {"widths": [4, 6], "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    return random(module.state_dict(), channel_map, torch.Generator().manual_seed(seed))


def listed(scores):
    return {name: values.tolist() for name, values in scores.items()}


def test_the_generator_decides():
    assert listed(draw(0)) == listed(draw(0))
    assert listed(draw(0)) != listed(draw(1))


def test_the_weights_do_not_matter():
    assert listed(draw(0, init=0)) == listed(draw(0, init=1))


def test_groups_draw_independently():
    first, second = draw(0).values()
    assert not torch.equal(first, second[: len(first)])


def test_the_global_generator_is_not_drawn_on():
    module = build("plain", {"widths": [4], "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    before = torch.get_rng_state()
    random(module.state_dict(), channel_map, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
