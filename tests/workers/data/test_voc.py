import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import VOCDetection

from jobs.errors import BadInputError
from workers.data import batches, load_dataset

OBJECT = (
    "<object><name>{name}</name><difficult>{difficult}</difficult>"
    "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></part>"
    "<bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
)


def annotate(year, name, objects=(("dog", 0, (3, 2, 10, 9)),), width=20, height=12):
    text = "".join(OBJECT.format(name=kind, difficult=difficult, box=box) for kind, difficult, box in objects)
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    (year / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{text}</annotation>")


def write_year(year, **sets):
    """Images of 20 x 12 pixels, each with a dog; the sets list their names."""
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (year / folder).mkdir(parents=True, exist_ok=True)
    for image_set, names in sets.items():
        for kind in ("Main", "Segmentation"):
            (year / "ImageSets" / kind / f"{image_set}.txt").write_text("\n".join([*names, ""]))
        for name in names:
            Image.new("RGB", (20, 12), (200, 100, 0)).save(year / "JPEGImages" / f"{name}.jpg")
            mask = np.zeros((12, 20), dtype=np.uint8)
            mask[1:9, 2:10] = 12
            image = Image.fromarray(mask)
            image.putpalette([0, 0, 0] * 256)
            image.save(year / "SegmentationClass" / f"{name}.png")
            annotate(year, name)


@pytest.fixture
def root(tmp_path):
    """The folder above VOCdevkit."""
    names = [f"{number:06d}" for number in range(13)]
    year = tmp_path / "VOCdevkit" / "VOC2007"
    write_year(year, train=names[:5], val=names[5:11], trainval=names[:11], test=names[11:])
    return tmp_path


@pytest.fixture
def year(root):
    return root / "VOCdevkit" / "VOC2007"


def load(root, kind="detection", **arguments):
    return load_dataset(f"voc-{kind}", str(root), arguments={"size": 24, **arguments})


def sizes(data):
    return [len(data.train), len(data.validation), len(data.test)]


@pytest.mark.parametrize("folder", [".", "VOCdevkit", "VOCdevkit/VOC2007"])
@pytest.mark.parametrize("kind", ["detection", "segmentation"])
def test_the_root_may_be_a_year_or_a_folder_above(root, folder, kind):
    data = load(root / folder, kind)
    assert sizes(data) == [10, 1, 2]  # every tenth of eleven
    assert (data.num_classes, data.input_shape) == (21, (3, 24, 24))


def test_boxes_count_from_0_and_end_behind_their_last_pixel(root, year):
    annotate(year, "000000", [("dog", 0, (1, 1, 1, 1)), ("tvmonitor", 1, (3, 2, 20, 12))])
    images, targets = next(batches(load(root, max_boxes=3).train, 2))
    assert targets[0].tolist() == [[0, 0, 1, 1, 12, 0], [2, 1, 20, 12, 20, 1], [0] * 6]
    assert images.shape == (2, 3, 24, 24)


def test_annotations_are_read_as_torchvision_reads_them(root, year):
    annotate(year, "000000", [("cat", 1, (2, 3, 7, 8)), ("dog", 0, (1, 5, 20, 12))])
    wanted = VOCDetection(str(root), year="2007", image_set="trainval")[0][1]["annotation"]["object"]
    found = load(root).train.targets[0][:2].tolist()
    for ours, theirs in zip(found, wanted, strict=True):
        box = [int(theirs["bndbox"][end]) for end in ("xmin", "ymin", "xmax", "ymax")]
        assert ours == [
            box[0] - 1,
            box[1] - 1,
            *box[2:],
            {"cat": 8, "dog": 12}[theirs["name"]],
            int(theirs["difficult"]),
        ]


def test_masks_are_classes_with_the_canvas_ignored(root):
    target = load(root, "segmentation").test.targets[0]
    assert target.unique().tolist() == [0, 12, 255]
    assert [(target == each).sum() for each in (12, 255)] == [64, 24 * 24 - 20 * 12]


def test_several_years_are_joined_and_tested_where_there_is_a_test_set(root):
    write_year(root / "VOCdevkit" / "VOC2012", train=["2008_1", "2008_2"], trainval=["2008_1", "2008_2", "2008_3"])
    assert sizes(load(root, years=[2007, 2012])) == [13, 1, 2]


def test_without_a_test_set_val_is_tested_and_not_trained_on(root, year):
    (year / "ImageSets" / "Main" / "test.txt").unlink()
    write_year(year, train=[f"1{number:05d}" for number in range(10)])
    assert sizes(load(root)) == [9, 1, 6]
    with pytest.raises(BadInputError, match="'trainval' and 'val' share 6 images"):
        load(root, train="trainval")


def test_other_classes_are_named_by_the_user(root, year):
    for file in (year / "Annotations").glob("*.xml"):
        annotate(year, file.stem, [("truck", 0, (1, 1, 5, 5))])
    data = load(root, classes=["car", "truck"])
    assert (data.num_classes, float(data.train.targets[0][0, 4])) == (3, 2)


def test_lines_and_padding_are_normalised_with_the_images(root):
    data = load_dataset("voc-segmentation", str(root), normalize=([0.5] * 3, [0.5] * 3), arguments={"size": 24})
    assert torch.equal(data.test.images[0][:, 12:], torch.full((3, 12, 24), -1.0))


class TestWhatCannotBeUsed:
    def test_a_missing_file_of_each_kind(self, root, year):
        kinds = {
            "detection": (year / "Annotations" / "000003.xml", year / "JPEGImages" / "000004.jpg"),
            "segmentation": (year / "SegmentationClass" / "000005.png", year / "JPEGImages" / "000004.jpg"),
        }
        for kind, files in kinds.items():
            for file in files:
                content = file.read_bytes()
                file.unlink()
                with pytest.raises(BadInputError, match=rf"{file.name}: not found, though an image set lists it"):
                    load(root, kind)
                file.write_bytes(content)

    def test_an_unknown_class(self, root, year):
        annotate(year, "000002", [("dgo", 0, (1, 1, 5, 5))])
        with pytest.raises(BadInputError, match=r"000002\.xml: class 'dgo' is unknown; did you mean 'dog'\?"):
            load(root)

    def test_a_box_outside_of_its_image(self, root, year):
        annotate(year, "000002", [("dog", 0, (1, 1, 25, 5))])
        with pytest.raises(BadInputError, match=r"000002\.xml: box 1 is .* outside of its image of 20 x 12 pixels"):
            load(root)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("<annotation>", "is no annotation of VOC"),
            ("<annotation/>", "an element 'annotation' has no 'size/width'; add it"),
            ("<annotation><size><width>x</width><height>3</height></size></annotation>", "is no annotation of VOC"),
            ('<!DOCTYPE a [<!ENTITY b "bb">]><annotation>&b;</annotation>', "has a DOCTYPE .'a'.* remove it"),
            ('<!DOCTYPE a SYSTEM "file:///etc/hostname"><annotation/>', "has a DOCTYPE"),
        ],
    )
    def test_other_xml(self, root, year, text, said):
        (year / "Annotations" / "000002.xml").write_text(text)
        with pytest.raises(BadInputError, match=rf"000002\.xml: .*{said}"):
            load(root)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"train": "tranval"}, "no image set 'tranval' .*did you mean 'trainval'"),
            ({"test": "exam"}, "no image set 'exam' .*known: test, train, trainval, val"),
            ({"years": []}, r"years is \[\]; a list of years"),
            ({"years": [2012]}, r"no images of 2012 below .*expected VOCdevkit/VOC2012/JPEGImages"),
            ({"size": 0}, "size is 0; a whole number from 1"),
            ({"classes": "dog"}, "classes is 'dog'; a list of names"),
            ({"classes": ["dog", "dog"]}, "a list of names is needed, each once"),
        ],
    )
    def test_arguments(self, root, arguments, said):
        with pytest.raises(BadInputError, match=said):
            load(root, **arguments)

    def test_the_folder_of_another_year(self, root):
        (root / "VOCdevkit" / "VOC2007").rename(root / "VOC2012")
        with pytest.raises(BadInputError, match=r"no images of 2007 .*set data\.root, or data\.arguments\.years"):
            load(root / "VOC2012")

    def test_the_list_of_one_class(self, root, year):
        (year / "ImageSets" / "Main" / "cat_train.txt").write_text("000001  1\n000002 -1\n")
        with pytest.raises(BadInputError, match=r"cat_train\.txt: must list names of images, one on each line"):
            load(root, train="cat_train")
