import torch

from workers.models import build


def draw(judge, seed, init=0):
    torch.manual_seed(init)
    return judge("random", build("plain", {"widths": [4, 6], "in_channels": 1}), seed=seed)


def listed(scores):
    return {name: values.tolist() for name, values in scores.items()}


def test_the_generator_decides(judge):
    assert listed(draw(judge, 0)) == listed(draw(judge, 0))
    assert listed(draw(judge, 0)) != listed(draw(judge, 1))


def test_the_weights_do_not_matter(judge):
    assert listed(draw(judge, 0, init=0)) == listed(draw(judge, 0, init=1))


def test_groups_draw_independently(judge):
    first, second = draw(judge, 0).values()
    assert not torch.equal(first, second[: len(first)])


def test_the_global_generator_is_not_drawn_on(judge):
    module = build("plain", {"widths": [4], "in_channels": 1}).eval()
    before = torch.get_rng_state()
    judge("random", module)
    assert torch.equal(torch.get_rng_state(), before)
