"""A small EDSR on small images goes through every stage, by a sweep that runs in this process."""

import numpy as np
import pytest
from PIL import Image

from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect

TRAIN = {"epochs": 2, "batch_size": 4, "optimizer": "adam", "learning_rate": 0.003, "augment": "flip-turn"}


@pytest.fixture
def photographs(tmp_path):
    """Smooth colours with an edge: two test sets and a training set."""
    draw = np.random.default_rng(0)
    for folder, count, size in (("T91", 4, (24, 24)), ("Set5", 1, (20, 26)), ("Set14", 2, (24, 20))):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number in range(count):
            slopes = draw.uniform(-4, 4, (3, 2))
            rows, columns = np.mgrid[: size[0], : size[1]]
            shades = [128 + a * rows + b * columns + 40 * (columns > rows) for a, b in slopes]
            pixels = np.clip(np.stack(shades, 2), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture
def points(write_sweep, database, photographs):
    """What was measured by method, of a sweep that has run."""
    sweep = {
        "name": "enlarging",
        "controls": False,
        "objective": {"kind": "super-resolution", "scale": 2, "tile": 16, "overlap": 6},
        "data": {
            "dataset": "sr-folders",
            "root": str(photographs),
            "arguments": {
                "scale": 2,
                "train": "T91",
                "test": {"set5": "Set5", "set14": "Set14"},
                **{"patch": 8, "patches": 8, "validation": 1},
            },
        },
        "models": {
            "edsr": {
                "network": "edsr",
                "arguments": {"scale": 2, "num_blocks": 1, "width": 8, "residual_scale": 1.0},
                "train": TRAIN,
            }
        },
        "compressions": [0.3],
        "protocols": {"repair": {"kind": "repair", "images": 4}},
        "measure": {"reload": False},
        "methods": {
            "bicubic": {"kind": "bicubic"},
            "taylor": {
                "kind": "criterion",
                "criterion": "taylor",
                "allocation": {"kind": "sensitivity"},
                "protocols": ["repair"],
            },
            "integral": {
                "kind": "integral",
                "train": {**TRAIN, "epochs": 1},
                "tune": {"steps": 2, "target": "dense"},
            },
        },
    }
    path = write_sweep(sweep)
    assert run(str(path), [], backend="inline") == 0
    record, store = find_record(str(path), "")
    return {curve.plan.method: store.manifest(curve.points[0].key).measurements for curve in collect(record, store)}


@pytest.mark.slow
def test_a_sweep_measures_every_test_set_apart(points):
    assert points.keys() == {"bicubic", "taylor", "integral"}
    for found in points.values():
        for metric in ("psnr_db", "ssim", "psnr_rgb_db", "ssim_rgb"):
            apart = (found[f"{metric}/set5"] + 2 * found[f"{metric}/set14"]) / 3
            assert found[metric] == pytest.approx(apart)
    assert (points["bicubic"]["compression"], points["bicubic"]["params"]) == (0, 0)
    assert points["bicubic"]["psnr_db"] > 25  # the images are smooth but for an edge
    for method in ("taylor", "integral"):
        assert points[method]["compression"] == pytest.approx(0.3, abs=0.05)
