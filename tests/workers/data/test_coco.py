import json

import pytest
from PIL import Image

from jobs.errors import BadInputError
from workers.data import batches, load_dataset

CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}]


def annotation(number, image, box, category=18, **more):
    outline = {"segmentation": [[0, 0, 1, 1, 2, 2]]}
    return {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0, **outline, **more}


def write_set(root, name, images, annotations, categories=CATEGORIES):
    (root / "annotations").mkdir(exist_ok=True)
    (root / name).mkdir(exist_ok=True)
    listed = [{"id": each, "file_name": f"{each}.jpg", "width": 20, "height": 12} for each in images]
    for each in listed:
        Image.new("RGB", (20, 12)).save(root / name / each["file_name"])
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (root / "annotations" / f"instances_{name}.json").write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path):
    write_set(tmp_path, "train2017", range(10), [annotation(1, 0, [1, 2, 10, 5])])
    crowd = annotation(2, 8, [0, 0, 20, 12], category=3, iscrowd=1)
    write_set(
        tmp_path, "val2017", [9, 8], [annotation(1, 8, [1.5, 2, 10, 5.25]), crowd, annotation(3, 9, [1, 1, 0, 4])]
    )
    return tmp_path


def load(root, **arguments):
    return load_dataset("coco-detection", str(root), arguments={"size": 24, "max_boxes": 3, **arguments})


def test_categories_are_numbered_by_their_ids_and_crowds_flagged(root):
    data = load(root)
    images, targets = next(batches(data.test, 2))
    # Images are in the order of their ids; the box without any width is left out.
    assert targets[0].tolist() == [[1.5, 2, 11.5, 7.25, 2, 0], [0, 0, 20, 12, 1, 1], [0] * 6]
    assert targets[1].tolist() == [[0] * 6] * 3
    assert images.shape == (2, 3, 24, 24)
    assert (data.num_classes, data.input_shape) == (3, (3, 24, 24))


def test_every_tenth_training_image_validates(root):
    data = load(root)
    assert [len(data.train), len(data.validation), len(data.test)] == [9, 1, 2]


def test_images_may_lie_below_images(root):
    (root / "images").mkdir()
    for name in ("train2017", "val2017"):
        (root / name).rename(root / "images" / name)
    assert load(root).test.images[1].shape == (3, 24, 24)


class TestWhatCannotBeUsed:
    def test_a_missing_image(self, root):
        (root / "val2017" / "9.jpg").unlink()
        with pytest.raises(BadInputError, match=r"9\.jpg: not found, though .*instances_val2017\.json lists it"):
            load(root)

    def test_a_missing_set(self, root):
        with pytest.raises(BadInputError, match=r"instances_val\.json not found; sets here: train2017, val2017"):
            load(root, test="val")

    def test_one_set_for_both(self, root):
        with pytest.raises(BadInputError, match="trains and tests on 'val2017'"):
            load(root, train="val2017")

    def test_too_many_boxes(self, root):
        with pytest.raises(BadInputError, match=r"image 8\.jpg: 8\.jpg has 2 boxes.*max_boxes to at least 2"):
            load(root, max_boxes=1)

    def test_a_box_outside_of_its_image(self, root):
        write_set(root, "val2017", [8], [annotation(1, 8, [15, 2, 10, 5])])
        with pytest.raises(BadInputError, match=r"instances_val2017\.json: image 8\.jpg: box 1 is .* outside"):
            load(root)

    @pytest.mark.parametrize("wrong", [{"category": 4}, {"image": 7}])
    def test_an_annotation_of_what_is_not_listed(self, root, wrong):
        write_set(root, "val2017", [8], [annotation(5, **{"image": 8, "box": [1, 2, 3, 4], **wrong})])
        with pytest.raises(BadInputError, match=r"annotation 5 is of category .*both must be listed"):
            load(root)

    def test_other_categories_in_the_test(self, root):
        write_set(root, "val2017", [8], [], CATEGORIES[:1])
        with pytest.raises(BadInputError, match="have different categories; they must have the same"):
            load(root)

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"images": []}', '{"categories": [], "images": [3], "annotations": []}']
    )
    def test_other_json(self, root, text):
        (root / "annotations" / "instances_val2017.json").write_text(text)
        with pytest.raises(BadInputError, match=r"instances_val2017\.json: is no annotation of COCO's instances"):
            load(root)

    def test_no_images(self, root):
        write_set(root, "val2017", [], [])
        with pytest.raises(BadInputError, match=r"instances_val2017\.json: has no images"):
            load(root)
