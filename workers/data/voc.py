"""PASCAL VOC's layout: boxes of objects, or a map of classes for each image.

A year's folder has JPEGImages/NAME.jpg, Annotations/NAME.xml, SegmentationClass/NAME.png, and the image sets
ImageSets/Main/SET.txt and ImageSets/Segmentation/SET.txt, which list names.

Source: M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010, and its development kits.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import torch

from jobs.errors import BadInputError, nearest
from workers.data.canvas import AnnotatedImage, CanvasImages, CanvasMasks, boxes_split, check_canvas
from workers.data.files import data_root, every_tenth
from workers.data.images import ImageData, Split

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
_DETECTION, _SEGMENTATION = "voc-detection", "voc-segmentation"
_IMAGE_SETS = {_DETECTION: "Main", _SEGMENTATION: "Segmentation"}

Member = tuple[Path, str]
"""A year's folder, and the name of an image in it."""


def load_voc_detection(
    root: str | None,
    years: Sequence[int] = (2007,),
    train: str | None = None,
    test: str | None = None,
    size: int = 512,
    max_boxes: int = 64,
    classes: Sequence[str] = CLASSES,
) -> ImageData:
    """Images with boxes. Difficult objects are there, too, and flagged; every tenth training image validates.

    VOC counts pixels from 1 and its boxes include the pixels at both ends: the box of the first pixel alone is
    (1, 1, 1, 1). Here it is (0, 0, 1, 1), so that areas and overlaps are those of VOC's development kit.

    Args:
        root: The folder of a year, or VOCdevkit, or the folder above it.
        years: Their images are joined; those of the test set come from the years that have it.
        train: The image set to train on; without it `trainval`, or `train` where the images of `val` are tested on.
        test: The image set to test on; without it `test`, or `val` where no year has `test`.
        size: Side of the canvas, in pixels; larger images are scaled down to it.
        max_boxes: How many boxes an image may have.
        classes: Names of the classes; the first has label 1.

    Raises:
        BadInputError: The layout does not match, or an annotation cannot be used.
    """
    check_canvas(f"data '{_DETECTION}'", size=size, classes=classes, max_boxes=max_boxes)
    labels = {name: label for label, name in enumerate(classes, start=1)}

    def split(members: list[Member]) -> Split:
        return boxes_split([_annotated(*member, labels) for member in members], size=size, max_boxes=max_boxes)

    return _data(*map(split, _members(_DETECTION, root, years, train, test)), num_classes=len(labels) + 1, size=size)


def load_voc_segmentation(
    root: str | None,
    years: Sequence[int] = (2007,),
    train: str | None = None,
    test: str | None = None,
    size: int = 512,
    classes: Sequence[str] = CLASSES,
) -> ImageData:
    """Images with maps of classes: 0 is the background, 255 is ignored. Every tenth training image validates.

    Args:
        root: The folder of a year, or VOCdevkit, or the folder above it.
        years: Their images are joined; those of the test set come from the years that have it.
        train: The image set to train on; without it `trainval`, or `train` where the images of `val` are tested on.
        test: The image set to test on; without it `test`, or `val` where no year has `test`.
        size: Side of the canvas, in pixels; larger images are scaled down to it.
        classes: Names of the classes; the first is 1 in the maps.

    Raises:
        BadInputError: The layout does not match, or files are missing.
    """
    check_canvas(f"data '{_SEGMENTATION}'", size=size, classes=classes)
    num_classes = len(classes) + 1

    def split(members: list[Member]) -> Split:
        images = [_file(folder, "JPEGImages", f"{name}.jpg") for folder, name in members]
        masks = [_file(folder, "SegmentationClass", f"{name}.png") for folder, name in members]
        return Split(
            images=CanvasImages(images, size=size),
            targets=CanvasMasks(masks, images, size=size, num_classes=num_classes),
        )

    return _data(*map(split, _members(_SEGMENTATION, root, years, train, test)), num_classes=num_classes, size=size)


def _data(train: Split, test: Split, *, num_classes: int, size: int) -> ImageData:
    train, validation = every_tenth(train)
    return ImageData(
        train=train, validation=validation, test=test, num_classes=num_classes, input_shape=(3, size, size)
    )


def _members(
    name: str, root: str | None, years: Sequence[int], train: str | None, test: str | None
) -> tuple[list[Member], list[Member]]:
    """The images to train on and to test on."""
    where, kind = f"data '{name}'", _IMAGE_SETS[name]
    folders = _year_folders(name, root, years)
    if test is None:
        test = "test" if any(_set_file(folder, kind, "test").is_file() for folder in folders) else "val"
    if train is None:
        train = "train" if test == "val" else "trainval"
    tested = [folder for folder in folders if _set_file(folder, kind, test).is_file()] or folders[:1]
    train_members = [member for folder in folders for member in _read_set(where, folder, kind, train)]
    test_members = [member for folder in tested for member in _read_set(where, folder, kind, test)]
    if shared := set(train_members) & set(test_members):
        raise BadInputError(
            f"{where}: the image sets '{train}' and '{test}' share {len(shared)} images, so that the test would be "
            "of images trained on; set data.arguments.train and test to others"
        )
    return train_members, test_members


def _year_folders(name: str, root: str | None, years: Sequence[int]) -> list[Path]:
    where, base = f"data '{name}'", data_root(name, root)
    if isinstance(years, str | int) or not years or len(set(years)) < len(years):
        raise BadInputError(f"{where}: years is {years!r}; a list of years is needed, each once, such as [2007, 2012]")
    other_year = re.fullmatch(r"VOC\d{4}", base.name) and base.name != f"VOC{years[0]}"
    if len(years) == 1 and not other_year and (base / "JPEGImages").is_dir():
        return [base]
    folders = []
    for year in years:
        candidates = [base / "VOCdevkit" / f"VOC{year}", base / f"VOC{year}"]
        found = next((folder for folder in candidates if (folder / "JPEGImages").is_dir()), None)
        if found is None:
            there = sorted({folder.name for folder in [base, *base.glob("VOCdevkit/*"), *base.glob("VOC*")]})
            raise BadInputError(
                f"{where}: no images of {year} below {base} ({', '.join(there)}); expected VOCdevkit/VOC{year}/"
                "JPEGImages or, if root is the folder of one year, JPEGImages; set data.root, or data.arguments.years"
            )
        folders.append(found)
    return folders


def _set_file(folder: Path, kind: str, image_set: str) -> Path:
    return folder / "ImageSets" / kind / f"{image_set}.txt"


def _read_set(where: str, folder: Path, kind: str, image_set: str) -> list[Member]:
    file = _set_file(folder, kind, image_set)
    if not file.is_file():
        known = [each.stem for each in file.parent.glob("*.txt") if "_" not in each.stem]  # cat_train: of one class
        raise BadInputError(f"{where}: no image set '{image_set}' ({file}); {nearest(image_set, known)}")
    members = [(folder, line.strip()) for line in file.read_text().splitlines() if line.strip()]
    if not members or any(len(name.split()) > 1 for _, name in members):
        raise BadInputError(f"{file}: must list names of images, one on each line, such as trainval.txt does")
    return members


def _file(folder: Path, kind: str, name: str) -> Path:
    path = folder / kind / name
    if not path.is_file():
        raise BadInputError(
            f"{path}: not found, though an image set lists it; unpack the data again, or take it off the list"
        )
    return path


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses definitions of entities, with which a small file could grow without bound or read others."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        del pubid, system
        raise BadInputError(f"refused: it has a DOCTYPE ('{name}'), which VOC's annotations lack; remove it")


def _annotated(folder: Path, name: str, labels: dict[str, int]) -> AnnotatedImage:
    path = _file(folder, "Annotations", f"{name}.xml")
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        annotation = ElementTree.fromstring(path.read_bytes(), parser=parser)
        width, height = (int(_text(annotation, f"size/{side}")) for side in ("width", "height"))
        boxes = [_box(each, labels) for each in annotation.findall("object")]
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise BadInputError(
            f"{path}: is no annotation of VOC ({error}); correct it or unpack the data again"
        ) from error
    return AnnotatedImage(
        image=_file(folder, "JPEGImages", f"{name}.jpg"),
        source=str(path),
        width=width,
        height=height,
        boxes=torch.tensor(boxes, dtype=torch.float64).reshape(-1, 6),
    )


def _box(annotated: ElementTree.Element, labels: dict[str, int]) -> list[float]:
    name = _text(annotated, "name")
    if name not in labels:
        raise BadInputError(
            f"class '{name}' is unknown; {nearest(name, labels)} Classes of your own: data.arguments.classes"
        )
    left, top, right, bottom = (float(_text(annotated, f"bndbox/{end}")) for end in ("xmin", "ymin", "xmax", "ymax"))
    difficult = int(annotated.findtext("difficult", "0"))
    return [left - 1, top - 1, right, bottom, float(labels[name]), float(difficult)]


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise BadInputError(f"an element '{element.tag}' has no '{path}'; add it")
    return text.strip()
