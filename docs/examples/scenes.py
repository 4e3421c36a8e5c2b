"""Scenes to detect and to segment: CIFAR-10's objects on photographs, with boxes and masks in PASCAL VOC's layout.

A scene is a crop of a photograph with one to four objects on it. An object is an image of CIFAR-10, enlarged one to
two times and cut out as an ellipse with a soft edge; the ellipse is its mask, where no later object hides it, and its
box is the extent of that. So boxes and masks are exact, but tell how the scene was made and not an outline
that a person would draw. A quarter of the scenes is for the test, with CIFAR-10's test images on photographs that no
other scene shows. Run it from the repository's root:

    .venv/bin/python docs/examples/scenes.py CIFAR10_ROOT PHOTOS_FOLDER DEST [--images 2000] [--seed 0] [--coarse]

With --coarse an object is an animal or a vehicle, which a small network learns in minutes.

A sweep reads DEST as `voc-detection` or `voc-segmentation` with the classes and the size that the script prints.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from workers.data import Split, load_dataset

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COARSE = ("animal", "vehicle")
VEHICLES = ("airplane", "automobile", "ship", "truck")
SIZE = 128
MOST_OBJECTS = 4
IGNORED = 255

_ENLARGED = (1.0, 2.0)
_ASPECT = (0.8, 1.0)
_SOFT_PIXELS = 2.0
_HIDDEN = 0.15
"""The largest fraction of an object that another one may hide, or of it that may hide another one."""
_TRIES = 20
_QUALITY = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene as it is written.

    Attributes:
        image: RGB.
        mask: 0 where the photograph is, the class from 1 where an object is, 255 in the line of one pixel around
            each object, which belongs to neither.
        boxes: Class from 1, and left, top, right, bottom in pixels from the upper left corner, of each object.
    """

    image: UInt8[np.ndarray, "size size 3"]
    mask: UInt8[np.ndarray, "size size"]
    boxes: Sequence[tuple[int, tuple[int, int, int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """An object, cut out.

    Attributes:
        label: The class from 1.
        pixels: RGB.
        alpha: How much of the object is seen there, in [0, 1].
    """

    label: int
    pixels: UInt8[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]

    @property
    def inside(self) -> Bool[np.ndarray, "h w"]:
        """Where the object's mask is."""
        return self.alpha >= 0.5


def cut_out(objects: Split, rng: np.random.Generator) -> Cutout:
    """A random object in an ellipse as large as its image, or up to a fifth narrower or lower."""
    index = torch.tensor([int(rng.integers(len(objects)))])
    pixels = (objects.read(index)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    side = round(len(pixels) * rng.uniform(*_ENLARGED))
    enlarged = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
    axes = np.array([side, side * rng.uniform(*_ASPECT)]) / 2
    y, x = (np.arange(side) + 0.5 - side / 2) / rng.permutation(axes)[:, None]
    radius = np.hypot(y[:, None], x[None, :])
    alpha = np.clip((1 - radius) * axes.min() / _SOFT_PIXELS + 0.5, 0, 1)
    return Cutout(label=int(objects.read_targets(index)) + 1, pixels=enlarged, alpha=alpha)


def crop_of(photograph: Image.Image, rng: np.random.Generator) -> UInt8[np.ndarray, "size size 3"]:
    """A random square of a photograph, scaled to a scene."""
    width, height = photograph.size
    side = int(rng.integers(min(SIZE, width, height), min(width, height) + 1))
    left, top = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    crop = photograph.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.array(crop.convert("RGB"))


def compose(photograph: Image.Image, objects: Split, rng: np.random.Generator) -> Scene:
    """Put random objects on a photograph, each at a place where it hides little of the earlier ones."""
    image = crop_of(photograph, rng)
    owner = np.zeros((SIZE, SIZE), dtype=np.uint8)
    placed: list[Cutout] = []
    for _ in range(int(rng.integers(1, MOST_OBJECTS + 1))):
        cutout = cut_out(objects, rng)
        place = _free_place(owner, placed, cutout, rng)
        if place is None:
            continue
        alpha = cutout.alpha[..., None]
        image[place] = (alpha * cutout.pixels + (1 - alpha) * image[place]).round()
        placed.append(cutout)
        owner[place][cutout.inside] = len(placed)
    labels = np.array([0, *(each.label for each in placed)], dtype=np.uint8)
    edge = _edge(owner)
    seen = [(owner == number) & ~edge for number in range(1, len(placed) + 1)]
    boxes = [(each.label, _extent(pixels)) for each, pixels in zip(placed, seen, strict=True)]
    return Scene(image=image, mask=np.where(edge, IGNORED, labels[owner]).astype(np.uint8), boxes=boxes)


def _free_place(
    owner: UInt8[np.ndarray, "size size"], placed: Sequence[Cutout], cutout: Cutout, rng: np.random.Generator
) -> tuple[slice, slice] | None:
    """Rows and columns for a further object, or nothing where none is found."""
    height, width = cutout.alpha.shape
    for _ in range(_TRIES):
        top, left = int(rng.integers(SIZE - height + 1)), int(rng.integers(SIZE - width + 1))
        place = slice(top, top + height), slice(left, left + width)
        trial = owner.copy()
        trial[place][cutout.inside] = len(placed) + 1
        hidden = cutout.inside & (owner[place] > 0)
        remaining = ((trial == number).sum() / each.inside.sum() for number, each in enumerate(placed, start=1))
        if hidden.mean() <= _HIDDEN * cutout.inside.mean() and all(each >= 1 - _HIDDEN for each in remaining):
            return place
    return None


def _edge(owner: UInt8[np.ndarray, "size size"]) -> Bool[np.ndarray, "size size"]:
    """The line around each object: pixels of an earlier object, or of none, with one of this object beside them."""
    padded = np.pad(owner, 1)
    beside = [padded[1 + dy : 1 + dy + SIZE, 1 + dx : 1 + dx + SIZE] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    edge: Bool[np.ndarray, "size size"] = np.max(beside, axis=0) > owner
    return edge


def _extent(pixels: Bool[np.ndarray, "size size"]) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def annotation(scene: Scene, name: str, classes: Sequence[str]) -> bytes:
    """The boxes as VOC's XML, whose pixels count from 1 and whose boxes include those at both ends."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{name}.jpg"
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", SIZE), ("height", SIZE), ("depth", 3)):
        ElementTree.SubElement(size, key).text = str(value)
    for label, (left, top, right, bottom) in scene.boxes:
        element = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(element, "name").text = classes[label - 1]
        ElementTree.SubElement(element, "difficult").text = "0"
        box = ElementTree.SubElement(element, "bndbox")
        for key, value in (("xmin", left + 1), ("ymin", top + 1), ("xmax", right), ("ymax", bottom)):
            ElementTree.SubElement(box, key).text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root)


def palette() -> list[int]:
    """VOC's colours: the bits of a class, from the lowest, are the bits of red, green and blue, from the highest."""
    return [
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
        for number in range(256)
        for channel in range(3)
    ]


def write(scene: Scene, folder: Path, name: str, classes: Sequence[str]) -> None:
    """Write a scene into the three folders of VOC's layout."""
    Image.fromarray(scene.image).save(folder / "JPEGImages" / f"{name}.jpg", quality=_QUALITY)
    mask = Image.fromarray(scene.mask)
    mask.putpalette(palette())
    mask.save(folder / "SegmentationClass" / f"{name}.png")
    (folder / "Annotations" / f"{name}.xml").write_bytes(annotation(scene, name, classes))


def coarse(objects: Split) -> Split:
    """The same objects, each an animal or a vehicle."""
    classes = torch.tensor([COARSE.index("vehicle" if name in VEHICLES else "animal") for name in CLASSES])
    return Split(images=objects.images, targets=classes[objects.read_targets(torch.arange(len(objects)))])


def write_set(
    folder: Path,
    image_set: str,
    number: int,
    photographs: Sequence[Path],
    objects: Split,
    seed: Sequence[int],
    classes: Sequence[str],
) -> None:
    """Write the scenes of an image set, and the lists of their names. A scene does not depend on how many there are."""
    opened = [Image.open(each) for each in photographs]
    names = [f"{image_set}_{index:05d}" for index in range(number)]
    for index, name in enumerate(names):
        rng = np.random.default_rng([*seed, index])
        write(compose(opened[int(rng.integers(len(opened)))], objects, rng), folder, name, classes)
    for kind in ("Main", "Segmentation"):
        (folder / "ImageSets" / kind / f"{image_set}.txt").write_text("\n".join([*names, ""]))


def main(arguments: list[str] | None = None) -> None:
    """Write scenes, and print how a sweep reads them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10", metavar="CIFAR10_ROOT", help="holds cifar-10-batches-bin or cifar-10-batches-py")
    parser.add_argument("photographs", metavar="PHOTOS_FOLDER", type=Path, help="at least four, as *.jpg or *.png")
    parser.add_argument("dest", metavar="DEST", type=Path, help="a new folder")
    parser.add_argument("--images", type=int, default=2000, help="scenes, a quarter of them for the test; 4 or more")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other scenes; 0 or more")
    parser.add_argument("--coarse", action="store_true", help="classes are animal and vehicle in the place of ten")
    options = parser.parse_args(arguments)
    photographs = sorted(each for ending in ("jpg", "png") for each in options.photographs.glob(f"*.{ending}"))
    if len(photographs) < 4:
        parser.error(f"{options.photographs}: has {len(photographs)} photographs (*.jpg, *.png); 4 or more are needed")
    if options.images < 4 or options.seed < 0:
        parser.error(f"--images {options.images} --seed {options.seed}: 4 scenes and seed 0 are the least")
    if options.dest.exists():
        parser.error(f"{options.dest}: is there already; remove it or name another folder")
    for kind in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (options.dest / kind).mkdir(parents=True)
    objects, num_test = load_dataset("cifar10", options.cifar10), options.images // 4
    others = [each for index, each in enumerate(photographs) if index % 4 != 3]
    classes = COARSE if options.coarse else CLASSES
    train, test = (coarse(each) if options.coarse else each for each in (objects.train, objects.test))
    write_set(options.dest, "trainval", options.images - num_test, others, train, [options.seed, 0], classes)
    write_set(options.dest, "test", num_test, photographs[3::4], test, [options.seed, 1], classes)
    print(f"{options.images} scenes. In a sweep:\n\ndata:\n  dataset: voc-detection  # or voc-segmentation")
    print(f"  root: {options.dest}\n  arguments:\n    size: {SIZE}\n    classes: [{', '.join(classes)}]")


if __name__ == "__main__":
    main()
