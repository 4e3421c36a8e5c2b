"""A sweep of segmentation from its file to its curves, on scenes of two squares."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect


def write_scene(root: Path, name: str, rng: np.random.Generator) -> None:
    """Squares of red, class 1, and green, class 2, on noise, each with a line around it that is ignored."""
    pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), dtype=np.uint8)
    for label, left in enumerate(rng.permutation([0, 16]), start=1):
        top = rng.integers(20)
        mask[top : top + 12, left : left + 12] = 255
        mask[top + 1 : top + 11, left + 1 : left + 11] = label
        pixels[top : top + 12, left : left + 12, label - 1] += 150
    Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.jpg")
    Image.fromarray(mask).save(root / "SegmentationClass" / f"{name}.png")


@pytest.fixture
def scenes(tmp_path) -> Path:
    """A folder in VOC's layout."""
    root, rng = tmp_path / "scenes", np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for image_set, number in (("trainval", 40), ("test", 8)):
        names = [f"{image_set}_{index}" for index in range(number)]
        (root / "ImageSets" / "Segmentation" / f"{image_set}.txt").write_text("\n".join(names))
        for name in names:
            write_scene(root, name, rng)
    return root


@pytest.fixture
def sweep(scenes, write_sweep) -> Path:
    classes = ["red", "green"]
    training = {"epochs": 4, "batch_size": 4, "learning_rate": 0.05, "augment": "flip"}
    return write_sweep(
        {
            "name": "squares",
            "controls": False,
            "objective": "segmentation",
            "data": {
                "dataset": "voc-segmentation",
                "root": str(scenes),
                "arguments": {"size": 32, "classes": classes},
            },
            "models": {
                "unet": {
                    "network": "unet",
                    "arguments": {"widths": [4, 6], "num_classes": 1 + len(classes)},
                    "train": training,
                }
            },
            "compressions": [0.3],
            "measure": {"reload": False},
            "protocols": {"fine-tune": {"kind": "fine-tune", "train": {"epochs": 1, "augment": "scale-crop-flip"}}},
            "methods": {
                "dense": {"kind": "dense"},
                "taylor": {"kind": "criterion", "criterion": "taylor", "protocols": ["none", "fine-tune"]},
                "tuned": {
                    "kind": "integral",
                    "partition": "uniform",
                    "ordering": {"method": "norm"},
                    "batchnorm": "keep",
                    "tune": {"steps": 2, "batch_size": 8, "samples": 16, "holdout": 4, "target": "dense"},
                },
            },
        }
    )


def test_it_runs_and_its_curves_are_of_miou(sweep, database):
    torch.set_num_threads(1)
    assert run(str(sweep), [], backend="inline") == 0
    record, store = find_record(str(sweep), "")
    points = {(curve.plan.method, curve.plan.protocol): curve.points[0] for curve in collect(record, store)}
    assert set(points) == {("dense", "none"), ("taylor", "none"), ("taylor", "fine-tune"), ("tuned", "none")}
    assert all(point.objective[0].name == "miou" for point in points.values())
    # A network that calls everything background has the background's share of about 0.8, over three classes.
    assert points["dense", "none"].metrics["miou"] > 0.4
    assert all(point.metrics["pixel_accuracy"] > point.metrics["miou"] > 0.1 for point in points.values())
