"""COCO's format of boxes: images in a folder, annotations in one JSON file for each set.

Source: T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", arXiv:1405.0312, and cocodataset.org.
"""

import json
from pathlib import Path
from typing import Any

import torch

from jobs.errors import BadInputError
from workers.data.canvas import AnnotatedImage, boxes_split, check_canvas
from workers.data.files import data_root, every_tenth
from workers.data.images import ImageData

_NAME = "coco-detection"


def load_coco_detection(
    root: str | None, train: str = "train2017", test: str = "val2017", size: int = 640, max_boxes: int = 100
) -> ImageData:
    """Images with boxes, crowds flagged. Every tenth training image validates.

    Categories are numbered from 1 in the order of their ids. Boxes without any width or height, of which COCO's own
    files have a few, are left out.

    Args:
        root: Holds `annotations/instances_SET.json`, and the images in `SET` or in `images/SET`.
        train: The set to train on.
        test: The set to test on.
        size: Side of the canvas, in pixels; larger images are scaled down to it.
        max_boxes: How many boxes an image may have.

    Raises:
        BadInputError: The layout does not match, or an annotation cannot be used.
    """
    check_canvas(f"data '{_NAME}'", size=size, max_boxes=max_boxes)
    if train == test:
        raise BadInputError(f"data '{_NAME}': trains and tests on '{train}'; set data.arguments.train or test")
    base = data_root(_NAME, root)
    (categories, to_train), (others, to_test) = _read(base, train), _read(base, test)
    if categories != others:
        raise BadInputError(
            f"data '{_NAME}': '{train}' and '{test}' have different categories; they must have the same, with their ids"
        )
    training, validation = every_tenth(boxes_split(to_train, size=size, max_boxes=max_boxes))
    return ImageData(
        train=training,
        validation=validation,
        test=boxes_split(to_test, size=size, max_boxes=max_boxes),
        num_classes=len(categories) + 1,
        input_shape=(3, size, size),
    )


def _read(base: Path, image_set: str) -> tuple[dict[int, str], list[AnnotatedImage]]:
    """The categories by id, and the images of a set in the order of their ids."""
    path = base / "annotations" / f"instances_{image_set}.json"
    if not path.is_file():
        there = sorted(each.stem.removeprefix("instances_") for each in path.parent.glob("instances_*.json"))
        raise BadInputError(
            f"data '{_NAME}': {path} not found; sets here: {', '.join(there) or 'none'}; set data.root, or "
            "data.arguments.train and test"
        )
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_outlines)
        categories = {each["id"]: each["name"] for each in sorted(content["categories"], key=lambda each: each["id"])}
        images = _images(content, categories, path=path, folders=[base / image_set, base / "images" / image_set])
    except (ValueError, TypeError, LookupError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise BadInputError(
            f"{path}: is no annotation of COCO's instances ({problem}); fetch the file again"
        ) from error
    if not images:
        raise BadInputError(f"{path}: has no images; at least one is needed")
    return categories, images


def _without_outlines(read: dict[str, Any]) -> dict[str, Any]:
    """Drops the outlines of objects while the file is read: they are nearly all of it."""
    read.pop("segmentation", None)
    return read


def _images(
    content: dict[str, Any], categories: dict[int, str], *, path: Path, folders: list[Path]
) -> list[AnnotatedImage]:
    labels = {category: label for label, category in enumerate(categories, start=1)}
    boxes: dict[int, list[list[float]]] = {each["id"]: [] for each in content["images"]}
    for each in content["annotations"]:
        if each["category_id"] not in labels or each["image_id"] not in boxes:
            raise BadInputError(
                f"{path}: annotation {each['id']} is of category {each['category_id']} in image {each['image_id']}; "
                "both must be listed in the file, under categories and images"
            )
        left, top, width, height = map(float, each["bbox"])
        if width != 0 and height != 0:
            label, crowd = labels[each["category_id"]], each.get("iscrowd", 0)
            boxes[each["image_id"]].append([left, top, left + width, top + height, label, crowd])
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return [
        AnnotatedImage(
            image=_file(folder, each["file_name"], path),
            source=f"{path}: image {each['file_name']}",
            width=each["width"],
            height=each["height"],
            boxes=torch.tensor(boxes[each["id"]], dtype=torch.float64).reshape(-1, 6),
        )
        for each in sorted(content["images"], key=lambda each: int(each["id"]))
    ]


def _file(folder: Path, name: str, path: Path) -> Path:
    image = folder / name
    if not image.is_file():
        raise BadInputError(f"{image}: not found, though {path} lists it; unpack the images again")
    return image
