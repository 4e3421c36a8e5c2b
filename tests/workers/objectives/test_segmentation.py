import pytest
import torch
from torch import nn
from torch.nn import functional

from jobs import names
from jobs.errors import BadInputError
from jobs.spec.objective import SegmentationObjective
from jobs.stages.common import ObjectiveParams
from workers.objectives import find_objective
from workers.objectives.segmentation import objective

SEGMENTATION = objective(auxiliary_weight=0.5)
LOGITS = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
MASKS = torch.randint(3, (2, 4, 5), generator=torch.Generator().manual_seed(1))


def some_ignored():
    masks = MASKS.clone()
    masks[0, :, :3] = 255
    return masks


def test_it_is_found_with_the_settings_of_its_record():
    record = SegmentationObjective(kind="segmentation", auxiliary_weight=0.4)
    found = find_objective(ObjectiveParams(name=record.name, settings=record.settings))
    assert [metric.name for metric in found.metrics] == ["miou", "pixel_accuracy"]
    assert (found.primary.unit, found.primary.scale, found.primary.direction) == ("%", 100.0, "higher")
    assert set(found.augmentations) == set(names.AUGMENTATIONS["segmentation"])


def test_the_loss_is_the_mean_cross_entropy_of_the_pixels_that_count():
    masks = some_ignored()
    each = [functional.cross_entropy(LOGITS[i : i + 1], masks[i : i + 1], ignore_index=255) for i in range(2)]
    torch.testing.assert_close(SEGMENTATION.loss(LOGITS, masks), torch.stack(each).mean())
    torch.testing.assert_close(SEGMENTATION.loss(LOGITS, masks, reduction="sum"), torch.stack(each).sum())


def test_a_sample_of_which_nothing_counts_adds_nothing():
    masks = MASKS.clone()
    masks[1] = 255
    expected = functional.cross_entropy(LOGITS[:1], MASKS[:1])
    torch.testing.assert_close(SEGMENTATION.loss(LOGITS, masks, reduction="sum"), expected)


def test_auxiliary_outputs_count_by_their_weight():
    found = SEGMENTATION.loss({"out": LOGITS, "aux": 2 * LOGITS}, MASKS)
    torch.testing.assert_close(found, SEGMENTATION.loss(LOGITS, MASKS) + 0.5 * SEGMENTATION.loss(2 * LOGITS, MASKS))
    exact = SEGMENTATION.total_loss({"out": LOGITS, "aux": 2 * LOGITS}, MASKS, torch.float64)
    assert exact.dtype is torch.float64
    assert float(exact) == pytest.approx(2 * float(found), rel=1e-6)


def test_the_difference_is_the_mean_divergence_of_the_pixels():
    pixels, wanted = (logits.movedim(1, -1).reshape(-1, 3).double() for logits in (LOGITS, LOGITS.flip(1)))
    expected = functional.kl_div(pixels.log_softmax(1), wanted.softmax(1), reduction="batchmean")
    assert float(SEGMENTATION.difference(LOGITS, LOGITS.flip(1))) == pytest.approx(float(expected), rel=1e-5)
    assert float(SEGMENTATION.difference(LOGITS, LOGITS)) == 0


@pytest.mark.parametrize("outputs", [LOGITS, {"out": LOGITS}, {"out": LOGITS, "aux": LOGITS}])
def test_outputs_that_fit_pass(outputs):
    SEGMENTATION.check(outputs, some_ignored())
    SEGMENTATION.check(outputs, torch.full_like(MASKS, 255))


@pytest.mark.parametrize(
    ("outputs", "masks", "said"),
    [
        (LOGITS, MASKS[:, 0, 0], "type torch.int64 and shape \\(\\) for each image; segmentation needs a map"),
        (LOGITS, MASKS.float(), "type torch.float32"),
        (LOGITS, MASKS.bool(), "type torch.bool"),
        ([LOGITS], MASKS, "returned list; for segmentation it must return one tensor"),
        (LOGITS[:, :, 0, 0], MASKS, "returned shape \\(2, 3\\) for 2 images; \\(2, num_classes, height, width\\)"),
        (LOGITS[:1], MASKS, "\\(1, 3, 4, 5\\) for 2 images"),
        (LOGITS[..., :3], MASKS, "\\(2, 3, 4, 3\\), but the masks have 4 x 5 pixels; .* enlarged"),
        ({"out": LOGITS, "aux": LOGITS[..., :3]}, MASKS, "\\(2, 3, 4, 3\\) as 'aux', but the masks"),
        ({"logits": LOGITS}, MASKS, "returned logits by name; 'out' is needed"),
        ({}, MASKS, "returned nothing by name"),
        (LOGITS[:, :2], MASKS, "logits of 2 classes, but the data has class 2; .* the background included"),
        (LOGITS, MASKS - 1, "the data has class -1; classes are numbered from 0, and 255 is ignored"),
        (torch.zeros(2, 256, 4, 5), MASKS, "logits of 256 classes; 255 at most"),
    ],
)
def test_what_does_not_fit_is_said(outputs, masks, said):
    with pytest.raises(BadInputError, match=said):
        SEGMENTATION.check(outputs, masks)


def test_a_mapping_in_evaluation_is_refused():
    class Both(nn.Module):
        def forward(self, images):
            return {"out": images, "aux": images}

    with pytest.raises(BadInputError, match="returned out, aux by name in evaluation; it must return one tensor"):
        SEGMENTATION.predict(Both(), LOGITS)
    assert SEGMENTATION.predict(nn.Identity(), LOGITS) is LOGITS
