"""How many augmented images a second a training gets from a folder of photographs, against torch's own pipeline.

Random resized crops of the whole picture, 224 x 224, random flips, normalised, in shuffled batches of 64, read by as
many processes as there are CPUs. The peer is torch's reference: torchvision's ImageFolder and transforms in a
DataLoader with the same settings. Both go through the same photographs in alternation, with their processes started
before; then both with RandAugment, too. Photographs are JPEG files made of noise at several scales, 1024 x 680, or the
user's own (`--photos`), each several times.
Figures: ratio_to_dataloader (our images per second to the peer's, median over pairs of runs), images_per_s,
dataloader_images_per_s, randaugment_ratio, randaugment_images_per_s, workers, images, megapixels.

    python -m benchmarks.loading [--quick] [--photos FOLDER] [--workers N]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.timing import paired
from jobs.spec.augment import Step, TransformSpec
from workers.data import load_dataset
from workers.data.feed import Feed
from workers.data.files import image_size
from workers.data.image_files import image_files
from workers.objectives.classification import objective

SIZE, BATCH = 224, 64
HEIGHT, WIDTH = 680, 1024
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def write_photographs(folder: Path, number: int) -> None:
    """Images with detail at every scale, which JPEG makes about as small as photographs."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    for index in range(number):
        total = np.zeros((HEIGHT, WIDTH, 3))
        for octave in range(2, 8):
            coarse = generator.integers(0, 256, (HEIGHT >> octave, WIDTH >> octave, 3), dtype=np.uint8)
            large = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            total += np.asarray(large) / 2 ** (8 - octave)
        Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.jpg", quality=90)


def make_root(root: Path, photos: list[Path], images: int) -> None:
    """`train` with two classes of links to the photographs, `val` and `test` with one."""
    for part, number in (("train", images), ("val", 1), ("test", 1)):
        for index in range(number):
            folder = root / part / f"class{index % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            photo = photos[index % len(photos)]
            (folder / f"{index}{photo.suffix}").symlink_to(photo.resolve())


def ours(root: Path, workers: int, steps: tuple[Step, ...]) -> Callable[[], None]:
    """An epoch of what training reads."""
    data = load_dataset("imagefolder", str(root), arguments={"size": SIZE}, normalize=(MEAN, STD), workers=workers)
    feed = Feed(data.train, objective().pipeline(steps, data), device="cpu")
    generator, epochs = torch.Generator().manual_seed(0), count()

    def epoch() -> None:
        order = torch.randperm(len(feed), generator=generator)
        for inputs, targets in feed.batches(order, BATCH, seed=next(epochs)):
            feed.augment(inputs, targets, generator)

    return epoch


def peer(root: Path, workers: int, steps: list[v2.Transform]) -> Callable[[], None]:
    """An epoch of torch's reference pipeline for ImageNet, on Pillow's images."""
    tail = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    transform = v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip(), *steps, *tail])
    loader: DataLoader[object] = DataLoader(
        ImageFolder(root / "train", transform),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def measure(root: Path, workers: int, repetitions: int) -> dict[str, float | int]:
    """All figures."""
    crop, randaugment = (TransformSpec.model_validate({name: {}}) for name in ("random_resized_crop", "randaugment"))
    runs = {
        "": (ours(root, workers, (crop, "flip")), peer(root, workers, [])),
        "randaugment": (ours(root, workers, (crop, "flip", randaugment)), peer(root, workers, [v2.RandAugment()])),
    }
    sizes = [image_size(path) for path in (root / "train").glob("*/*")]
    found: dict[str, float | int] = {}
    for name, (epoch, reference) in runs.items():
        epoch()  # starts the processes
        reference()
        ratio, our_s = paired(reference, epoch, repetitions)
        rate = len(sizes) / our_s
        if name:
            found |= {f"{name}_ratio": round(ratio, 3), f"{name}_images_per_s": round(rate, 1)}
        else:
            found = {"ratio_to_dataloader": round(ratio, 3), "images_per_s": round(rate, 1)}
            found["dataloader_images_per_s"] = round(rate / ratio, 1)
    megapixels = sum(width * height for width, height in sizes) / len(sizes) / 1e6
    return {**found, "workers": workers, "images": len(sizes), "megapixels": round(megapixels, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 images, 3 pairs of runs.")
    parser.add_argument("--photos", type=Path, help="Folder of photographs, PNG or JPEG.")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="Processes; default: one for each CPU.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if asked.photos is None:
            write_photographs(Path(folder) / "photos", 8 if asked.quick else 32)
        photos = image_files(asked.photos or Path(folder) / "photos")
        make_root(Path(folder) / "root", photos, images=2 * BATCH if asked.quick else 8 * BATCH)
        print(json.dumps(measure(Path(folder) / "root", asked.workers, repetitions=3 if asked.quick else 7)))


if __name__ == "__main__":
    main()
