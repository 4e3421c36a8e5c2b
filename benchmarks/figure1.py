"""Integral Neural Networks, Figure 1, on CIFAR-10 from trained networks: is the order of the methods the paper's?

VGG-16-BN and ResNet-56 at 10, 20, 30 and 40 %, no fine-tuning: the paper's criteria with the same fraction from each
group, integral networks with uniform partitions, and the same tuned. Statistics of feature maps are taken over the
whole training split, in one pass for all of them. Figures are test accuracies in %, mean over the seeds and standard
deviation, by model, method and compression, such as `vgg16_bn.mean-std.40`; `MODEL.order` lists the methods by the area
under their curves, best first, and `MODEL.as_published` says whether tuned integral networks stand before untuned ones,
and those before every criterion. The trained networks are not part of the project: say where the two files and the data
are. --quick takes a minute on two cores.

    python -m benchmarks.figure1 --data DIR --weights DIR [--quick] [--store URI] [--seeds N]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.integral_accuracy import NETWORKS
from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.commands.locating import find_record
from orchestrator.report import summarize
from orchestrator.report.comparison import areas
from orchestrator.results import collect

SWEEP = Path(__file__).parents[1] / "jobs" / "sweeps" / "cifar10.yaml"
CRITERIA = ("l1", "mean-mean", "mean-std", "mean-l1", "mean-l2", "var-l2", "loss-change")


def methods(*, steps: int, images: int | None) -> dict[str, dict[str, object]]:
    """The methods of the figure.

    Args:
        steps: Of tuning.
        images: That criteria look at; None for their defaults.
    """
    integral: dict[str, object] = {"kind": "integral", "partition": "uniform", "quadrature": "midpoint"}
    looking = {"score": {"images": images}} if images else {}
    criteria: dict[str, dict[str, object]] = {
        name: {"kind": "criterion", "criterion": name, **(looking if name != "l1" else {})} for name in CRITERIA
    }
    tuned = {**integral, "tune": {"steps": steps, "samples": 4096}}
    return {"dense": {"kind": "dense"}, **criteria, "integral": integral, "integral-tuned": tuned}


def main() -> None:
    """Run the sweep, and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("ORCHARD_DATA"), help="Folder with cifar-10-batches-bin.")
    parser.add_argument("--weights", default=os.environ.get("ORCHARD_WEIGHTS"), help="Folder with both checkpoints.")
    parser.add_argument("--store", help="Folder where results are kept, to go on from; default: nowhere.")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--quick", action="store_true", help="ResNet-56 at 40 %%, one seed, 100 images, 2 steps.")
    parser.add_argument("--steps", type=int, default=60, help="Of tuning.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test-images", type=int, default=10_000)
    arguments = parser.parse_args()
    if not arguments.data or not arguments.weights:
        parser.error("say where data and checkpoints are: --data DIR --weights DIR")
    if arguments.quick:
        arguments.networks, arguments.steps, arguments.seeds, arguments.test_images = ["resnet56"], 2, 1, 100
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(_run(arguments, str(Path(arguments.store or scratch).absolute()))))


def _run(arguments: argparse.Namespace, storage: str) -> dict[str, object]:
    models = {
        name: {"network": NETWORKS[name][0], "weights": f"{arguments.weights}/{NETWORKS[name][1]}"}
        for name in arguments.networks
    }
    changes: dict[str, object] = {
        "name": "figure1",
        "storage": f"{storage}/store",
        "tracking": f"sqlite:///{storage}/mlflow.db",
        "seeds": list(range(arguments.seeds)),
        "data.root": arguments.data,
        "data.test_images": arguments.test_images,
        "models": models,
        "compressions": [0.4] if arguments.quick else [0.1, 0.2, 0.3, 0.4],
        "methods": methods(steps=arguments.steps, images=8 if arguments.quick else None),
    }
    overrides = [f"{path}={json.dumps(value)}" for path, value in changes.items()]
    if running.run(str(SWEEP), overrides, backend="inline"):
        raise SystemExit("the sweep did not end; its last lines say why")
    record, store = find_record("figure1", load_sweep(SWEEP, overrides).storage)
    summary = summarize(collect(record, store))
    figures: dict[str, object] = {
        f"{row.model}.{row.method}.{round(100 * cell.asked)}": [
            round(100 * cell.value, 2),
            round(100 * cell.deviation, 2),
        ]
        for row in summary.rows
        for cell in row.measured
    }
    under = areas(summary)
    for model in models:
        figures |= _order(model, {row.method: area for row, area in under.items() if row.model == model})
    return figures


def _order(model: str, area: Mapping[str, float]) -> dict[str, object]:
    best_criterion = max(area[name] for name in CRITERIA)
    return {
        f"{model}.order": sorted((name for name in area if name != "random"), key=lambda name: -area[name]),
        f"{model}.as_published": area["integral-tuned"] >= area["integral"] > best_criterion,
    }


if __name__ == "__main__":
    main()
