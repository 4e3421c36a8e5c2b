"""Rethinking the Value of Network Pruning, transfer to detection: does training from scratch keep up?

A small residual network learns CIFAR-10, loses 40 % of its parameters by l1 norms, and becomes the backbone of a Faster
R-CNN that learns scenes of CIFAR-10's objects: pruned as a classifier (Prune-C), pruned as a detector and fine-tuned
(Prune-D), or trained from random weights before it becomes a backbone, for as many epochs (Scratch-E) or as many MACs
(Scratch-B). Figures are mAP@0.5 in %, mean over the seeds and standard deviation: `dense.map50`, `prune_c.map50`,
`prune_d.map50`, `scratch_e.map50`, `scratch_b.map50`; `prune_d_untuned.map50` is before fine-tuning. Scenes are
written by docs/examples/scenes.py --coarse. --quick takes a minute on two cores.

    python -m benchmarks.detection --data DIR --scenes DIR [--quick] [--store DIR] [--seeds N]
"""

import argparse
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.commands.locating import find_record
from orchestrator.report import summarize
from orchestrator.results import by_objective, collect
from workers.data import ImageData, load_dataset

SWEEP = Path(__file__).parents[1] / "jobs" / "sweeps" / "rethinking_detection_voc.yaml"
ROWS = {  # method and protocol of the sweep
    ("dense", "to-voc"): "dense",
    ("random", "to-voc"): "random",
    ("prune-c", "to-voc"): "prune_c",
    ("prune-c", "scratch-e-to-voc"): "scratch_e",
    ("prune-c", "scratch-b-to-voc"): "scratch_b",
    ("prune-d", "none"): "prune_d_untuned",
    ("prune-d", "fine-tune-detector"): "prune_d",
}


def few_images(root: str | None) -> ImageData:
    """CIFAR-10 with few training images, and few for validation."""
    return _few(load_dataset("cifar10", root), train=640)


def few_scenes(root: str | None, **arguments: Any) -> ImageData:
    """The scenes, few of them."""
    return _few(load_dataset("voc-detection", root, arguments=arguments), train=32)


def _few(data: ImageData, *, train: int) -> ImageData:
    kept = data.train.select(torch.arange(train))
    return replace(data, train=kept, validation=data.validation.select(torch.arange(16)))


def main() -> None:
    """Run the sweep, and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("ORCHARD_DATA"), help="Folder with cifar-10-batches-bin.")
    parser.add_argument("--scenes", default=os.environ.get("ORCHARD_SCENES"), help="Folder of the scenes.")
    parser.add_argument("--store", help="Folder where results are kept, to go on from; default: nowhere.")
    parser.add_argument("--quick", action="store_true", help="Few images and scenes, one epoch of detection.")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if not arguments.data or not arguments.scenes:
        parser.error("say where data and scenes are: --data DIR --scenes DIR")
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(_run(arguments, str(Path(arguments.store or scratch).absolute()))))


def _run(arguments: argparse.Namespace, storage: str) -> dict[str, object]:
    changes: dict[str, object] = {
        "name": "detection",
        "storage": f"{storage}/store",
        "tracking": f"sqlite:///{storage}/mlflow.db",
        "seeds": [0] if arguments.quick else list(range(arguments.seeds)),
        "data.root": str(Path(arguments.data).absolute()),
        "protocols.to-voc.data.root": str(Path(arguments.scenes).absolute()),
    }
    if arguments.quick:
        short = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}
        changes |= {"data.test_images": 20, "protocols.to-voc.data.test_images": 20}
        changes |= {"protocols.to-voc.data.dataset": "benchmarks.detection:few_scenes"}
        changes |= {"data.dataset": "benchmarks.detection:few_images", "models.classifier.arguments": {"depth": 8}}
        changes |= {f"protocols.{name}.train": short for name in ("to-voc", "scratch-e-to-voc", "scratch-b-to-voc")}
    overrides = [
        f"@{SWEEP.parent / 'reduced' / SWEEP.name}",
        *(f"{path}={json.dumps(value)}" for path, value in changes.items()),
    ]
    if running.run(str(SWEEP), overrides, backend="inline"):
        raise SystemExit("the sweep did not end; its last lines say why")
    record, store = find_record("detection", load_sweep(SWEEP, overrides).storage)
    groups = by_objective(collect(record, store))
    (detection,) = (curves for objective, curves in groups.items() if objective[0].name == "map50")
    return {
        f"{ROWS[row.method, row.protocol]}.map50": [round(100 * cell.value, 2), round(100 * cell.deviation, 2)]
        for row in summarize(detection).rows
        for cell in row.measured
    }


if __name__ == "__main__":
    main()
