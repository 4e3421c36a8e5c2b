import pytest
import torch
from torchvision.ops import box_convert
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from workers.data import joint
from workers.data.joint import flip_with_boxes, flip_with_masks, scale_crop_flip

NUM_CLASSES = 5


def scenes(n, height=12, width=10):
    """Maps of blocks of 2 x 2, and images whose channels are the class and whether it is known."""
    masks = torch.randint(NUM_CLASSES, (n, height // 2, width // 2), generator=torch.Generator().manual_seed(0))
    masks = masks.repeat_interleave(2, 1).repeat_interleave(2, 2)
    return torch.stack([masks.float(), torch.ones(masks.shape)], 1), masks


def boxes():
    return torch.tensor([[[1.0, 2, 4, 5, 3, 1], [0, 0, 10, 8, 1, 0], [0, 0, 0, 0, 0, 0]]])


def moved_with(change, n=200, **size):
    return change(*scenes(n, **size), torch.Generator().manual_seed(1))


def test_an_image_and_its_mask_are_mirrored_together_half_of_the_time():
    images, masks = moved_with(flip_with_masks)
    assert torch.equal(images[:, 0].long(), masks)
    before = scenes(200)[1]
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(masks, before, strict=True)]
    kept = [torch.equal(new, old) for new, old in zip(masks, before, strict=True)]
    assert all(a or b for a, b in zip(mirrored, kept, strict=True))
    assert 80 < sum(mirrored) < 120


def test_boxes_move_as_torchvision_moves_them_and_rows_that_are_none_stay():
    n = 20
    images, before = torch.rand(n, 3, 8, 10), boxes().expand(n, -1, -1)
    moved, after = flip_with_boxes(images, before, torch.Generator().manual_seed(1))
    theirs = v2.functional.horizontal_flip(BoundingBoxes(before[0, :2, :4], format="XYXY", canvas_size=(8, 10)))
    expected = torch.cat([torch.cat([theirs.as_subclass(torch.Tensor), before[0, :2, 4:]], 1), before[0, 2:]])
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(moved, images, strict=True)]
    assert 0 < sum(mirrored) < n
    for flipped, each in zip(mirrored, after, strict=True):
        assert torch.equal(each, expected if flipped else before[0])
    assert torch.equal(box_convert(after[..., :4], "xyxy", "xywh")[..., 2:], before[..., 2:4] - before[..., :2])


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_an_image_and_its_mask_are_scaled_and_cropped_together(monkeypatch, factor):
    # Blocks of 2 x 2: halved, an image without anti-aliasing beyond its block is the map itself, doubled in its middle.
    monkeypatch.setattr(joint, "_SCALE", (factor, factor))
    images, masks = moved_with(scale_crop_flip, n=40)
    known = masks != 255
    near = (images[:, 0] - masks).abs() < (0.75 if factor < 1 else 0.3)
    assert torch.equal(images[:, 1] > 0.5, known)
    assert float((near & known).sum() / known.sum()) > (0.4 if factor < 1 else 0.5)
    share = float(known.float().mean())
    assert share == (1.0 if factor > 1 else 0.25)


def test_a_scale_of_one_leaves_all_but_the_side(monkeypatch):
    monkeypatch.setattr(joint, "_SCALE", (1.0, 1.0))
    images, masks = moved_with(scale_crop_flip)
    assert torch.equal(images[:, 0].long(), masks)


def test_crops_are_anywhere_and_of_every_scale():
    height = width = 40
    rows = (torch.arange(height) + 0.5).view(1, 1, -1, 1).expand(300, 1, -1, width)
    images, masks = scale_crop_flip(rows, torch.zeros(300, height, width).long(), torch.Generator().manual_seed(0))
    filled = (masks == 255).float().mean((1, 2))
    assert 0.25 < float((filled > 0).float().mean()) < 0.42  # a third of the factors is below 1
    assert float(filled.max()) == pytest.approx(0.75, abs=0.03)
    whole = images[filled == 0, 0]
    assert whole.amin() < 1.5
    assert whole.amax() > height - 1.5
    assert torch.equal(images[:, 0][masks == 255].unique(), torch.zeros(1))


@pytest.mark.parametrize("change", [flip_with_masks, scale_crop_flip, flip_with_boxes])
def test_it_draws_from_the_generator_only(change):
    images, masks = scenes(6)
    targets = boxes().expand(6, -1, -1) if change is flip_with_boxes else masks
    before = torch.get_rng_state()
    first, second = (change(images, targets, torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert (first[0].shape, first[1].shape, first[1].dtype) == (images.shape, targets.shape, targets.dtype)
    assert torch.equal(before, torch.get_rng_state())
