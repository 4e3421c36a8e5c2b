from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import BadInputError
from workers.data.canvas import AnnotatedImage, CanvasImages, CanvasMasks, boxes_split, fitted_size


def annotated(boxes, *, path=Path("a.png"), width=20, height=10):
    rows = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 6)
    return AnnotatedImage(image=path, source="a.xml", width=width, height=height, boxes=rows)


def write(path, pixels, mode=None):
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(path)
    return path


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(20, 10, (20, 10)), (64, 32, (32, 16)), (32, 32, (32, 32)), (400, 2, (32, 1))]
)
def test_only_larger_images_are_scaled_and_keep_their_aspect(width, height, expected):
    assert fitted_size(width, height, 32) == expected


def test_a_small_image_is_untouched_and_the_rest_is_black(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 256, (3, 5, 3))
    image = CanvasImages([write(tmp_path / "a.png", pixels)], size=8)[0]
    assert torch.equal(image[:, :3, :5], torch.tensor(pixels).permute(2, 0, 1).float() / 255)
    assert image.count_nonzero() == 3 * 3 * 5


def test_a_large_image_and_its_boxes_are_scaled_together(tmp_path):
    pixels = np.zeros((20, 40, 3))
    pixels[4:8, 20:30] = 255
    path = write(tmp_path / "a.png", pixels)
    split = boxes_split([annotated([[20, 4, 30, 8, 3, 1]], path=path, width=40, height=20)], size=20, max_boxes=2)
    assert split.targets[0].tolist() == [[10, 2, 15, 4, 3, 1], [0] * 6]
    light = split.images[0][0]
    y, x = torch.meshgrid(torch.arange(20) + 0.5, torch.arange(20) + 0.5, indexing="ij")
    assert [float((each * light).sum() / light.sum()) for each in (x, y)] == pytest.approx([12.5, 3], abs=0.01)
    assert float(light.sum()) == pytest.approx(5 * 2, abs=0.1)


def test_boxes_of_several_images_are_kept_apart():
    boxes = [[[0, 0, 4, 4, 1, 0]], [], [[0, 0, 5, 5, 2, 0], [1, 1, 6, 6, 3, 0]]]
    targets = boxes_split([annotated(each) for each in boxes], size=20, max_boxes=2).targets
    assert len(targets) == 3
    assert [targets[index][:, 4].tolist() for index in range(3)] == [[1, 0], [0, 0], [2, 3]]


def test_a_box_is_cut_where_rounding_lets_it_stick_out():
    targets = boxes_split([annotated([[-0.5, 0, 20.9, 10, 1, 0]])], size=20, max_boxes=1).targets
    assert targets[0].tolist() == [[0, 0, 20, 10, 1, 0]]


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 22, 5), r"box 2 is \(0.0, 0.0, 22.0, 5.0\).* outside of its image of 20 x 10 pixels; correct"),
        ((-2, 0, 3, 5), "outside of its image"),
        ((float("nan"), 0, 3, 5), "outside of its image"),
        ((3, 4, 3, 5), "which has no area; correct or remove it"),
        ((5, 4, 3, 5), "which has no area"),
    ],
)
def test_a_box_that_cannot_be_is_named(box, said):
    with pytest.raises(BadInputError, match=rf"a\.xml: {said}" if said.startswith("box") else said):
        annotated([[0, 0, 4, 4, 1, 0], [*box, 1, 0]])


def test_more_boxes_than_there_is_room_for_are_counted():
    with pytest.raises(
        BadInputError, match=r"a\.xml: a\.png has 3 boxes.* set data\.arguments\.max_boxes to at least 3"
    ):
        boxes_split([annotated([[0, 0, 4, 4, 1, 0]] * count) for count in (1, 3, 2)], size=20, max_boxes=1)


def test_an_image_of_another_size_than_annotated_is_named(tmp_path):
    path = write(tmp_path / "a.png", np.zeros((10, 21, 3)))
    split = boxes_split([annotated([[0, 0, 4, 4, 1, 0]], path=path)], size=20, max_boxes=1)
    with pytest.raises(BadInputError, match=r"a\.xml: says 20 x 10 pixels, but .*a\.png has 21 x 10; correct"):
        split.images[0]


class TestMasks:
    def masks(self, folder, mask, *, image=(2, 3, 3), size=4):
        write(folder / "a.png", np.zeros(image))
        write(folder / "mask.png", mask)
        return CanvasMasks([folder / "mask.png"], [folder / "a.png"], size=size, num_classes=3)

    def test_the_canvas_around_them_is_ignored(self, tmp_path):
        masks = self.masks(tmp_path, [[0, 1, 2], [255, 0, 1]])
        assert masks[0].tolist() == [[0, 1, 2, 255], [255, 0, 1, 255], [255] * 4, [255] * 4]
        assert masks[0].dtype == torch.int64

    def test_scaled_ones_have_no_other_classes(self, tmp_path):
        mask = np.repeat([[0, 2], [2, 0]], 4, 0).repeat(4, 1)
        masks = self.masks(tmp_path, mask, image=(8, 8, 3))
        assert masks[0].tolist() == [[0, 0, 2, 2], [0, 0, 2, 2], [2, 2, 0, 0], [2, 2, 0, 0]]

    @pytest.mark.parametrize(
        ("mask", "said"),
        [
            (np.zeros((3, 3)), r"mask\.png: has 3 x 3 pixels, but .*a\.png has 3 x 2; they must have one size"),
            (np.zeros((2, 3, 3)), r"mask\.png: has mode RGB; a map of classes is a PNG with a palette"),
            ([[0, 1, 7], [0, 0, 0]], r"mask\.png: has class 7; classes are 0 to 2, and 255 is ignored"),
        ],
    )
    def test_those_that_do_not_fit_are_named(self, tmp_path, mask, said):
        with pytest.raises(BadInputError, match=said):
            self.masks(tmp_path, mask)[0]
