"""How many training patches a second come from photographs that are decoded once, against decoding them for each patch.

Pairs at x4, patches of 48 x 48 and 192 x 192 pixels, in batches of 16, as float tensors. The peer decodes both files of
the pair for every patch and cuts it out. Both run in alternation on one thread; the photographs are PNG files of
DIV2K's size made of noise at several scales, or the user's own (PNG or JPEG, `--photos`).
Figures: patches_per_s, decoding_per_s (of the peer), ratio (median over pairs of runs), first_patches_per_s (while the
images are decoded), photographs, megapixels (mean, of the larger image), decoded_bytes (what the cache takes).

    python -m benchmarks.patches [--quick] [--photos FOLDER]
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.timing import paired, timed
from workers.data import Split, batches, load_dataset
from workers.data.image_files import image_files, read_rgb
from workers.data.image_pairs import CACHE_FOLDER
from workers.data.resize import shrink

SCALE, PATCH, BATCH = 4, 48, 16
HEIGHT, WIDTH = 1356, 2040
MANY = 20  # times as many patches as the peer reads, in one run


def write_photographs(folder: Path, count: int) -> None:
    """Images with detail at every scale, which PNG makes about as small as photographs."""
    generator = np.random.default_rng(0)
    for number in range(count):
        total = np.zeros((HEIGHT, WIDTH, 3))
        for octave in range(2, 9):
            coarse = generator.integers(0, 256, (HEIGHT >> octave, WIDTH >> octave, 3), dtype=np.uint8)
            large = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            total += np.asarray(large) / 2 ** (9 - octave)
        Image.fromarray((total + generator.normal(0, 1, total.shape)).clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.png"
        )


def make_root(root: Path, photos: Path | None, count: int) -> None:
    """Folders `high` and `low`, the latter as PNG files."""
    if photos is None:
        (root / "high").mkdir()
        write_photographs(root / "high", count)
    else:
        (root / "high").symlink_to(photos.resolve())
    (root / "low").mkdir()
    for path in image_files(root / "high"):
        pixels = read_rgb(path)
        height, width = (side // SCALE * SCALE for side in pixels.shape[:2])
        Image.fromarray(shrink(pixels[:height, :width], SCALE)).save(root / "low" / f"{path.stem}.png")


def read_by_decoding(root: Path, count: int) -> None:
    """Batches of patches, each cut out of a pair that is decoded for it."""
    paths, generator = image_files(root / "high"), np.random.default_rng(0)

    def cut(pixels: np.ndarray, top: int, left: int, side: int) -> torch.Tensor:
        part = pixels[top : top + side, left : left + side].transpose(2, 0, 1).copy()
        return torch.from_numpy(part).to(torch.float32).div_(255)

    for _ in range(count // BATCH):
        pairs = []
        for index in generator.integers(len(paths), size=BATCH):
            high, low = read_rgb(paths[index]), read_rgb(root / "low" / f"{paths[index].stem}.png")
            top, left = (int(generator.integers(side - PATCH + 1)) for side in low.shape[:2])
            target = cut(high, SCALE * top, SCALE * left, SCALE * PATCH)
            pairs.append((cut(low, top, left, PATCH), target))
        _ = [torch.stack(part) for part in zip(*pairs, strict=True)]


def read_all(split: Split) -> None:
    for _ in batches(split, BATCH):
        pass


def measure(root: Path, count: int, repetitions: int) -> dict[str, float | int]:
    """All figures; the peer reads `count` patches a time."""
    arguments = {"scale": SCALE, "patch": PATCH, "patches": MANY * count, "validation": 1}
    folders = {"train": "high", "test": {"all": "high"}, "low": {"high": "low"}}
    data = load_dataset("sr-folders", str(root), arguments={**arguments, **folders})
    first_s = timed(lambda: read_all(data.train))
    ratio, ours_s = paired(lambda: read_by_decoding(root, count), lambda: read_all(data.train), repetitions)
    sizes = [data.test.targets[index].shape[1:].numel() for index in range(len(data.test))]
    rate = MANY * count / ours_s
    return {
        "patches_per_s": round(rate),
        "decoding_per_s": round(rate / (MANY * ratio), 1),
        "ratio": round(MANY * ratio, 1),
        "first_patches_per_s": round(MANY * count / first_s),
        "photographs": len(sizes),
        "megapixels": round(sum(sizes) / len(sizes) / 1e6, 2),
        "decoded_bytes": sum(path.stat().st_size for path in Path(os.environ[CACHE_FOLDER]).rglob("*/*")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 photographs, 3 pairs of runs.")
    parser.add_argument("--photos", type=Path, help="Folder of photographs, PNG or JPEG.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        os.environ[CACHE_FOLDER] = f"{folder}/cache"
        make_root(root, asked.photos, count=4 if asked.quick else 24)
        print(json.dumps(measure(root, BATCH if asked.quick else 4 * BATCH, repetitions=3 if asked.quick else 7)))


if __name__ == "__main__":
    main()
