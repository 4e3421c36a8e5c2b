"""How much accuracy integral networks keep on CIFAR-10, beside the criteria, from trained networks.

VGG-16-BN and ResNet-56 at about 10, 20, 30 and 40 %, each method with and without what it owes its accuracy to: the
order of the channels, tuning (at most 300 steps), widths by least error instead of uniform ones, and repaired variance
(that also at 50 and 60 %). It is a sweep like any other, run by Orchard itself; figures are test accuracies in %, means
over the seeds, by model, method and compression asked for, such as `vgg16_bn.integral_tune.40`, and `vgg16_bn.dense`.
The trained networks are not part of the project: say where the two files and the data are. --quick takes a minute or
two on two cores.

    python -m benchmarks.integral_accuracy --data DIR --weights DIR [--quick] [--store URI]
"""

import argparse
import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean

from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.commands.locating import find_record
from orchestrator.results import collect

SWEEP = Path(__file__).parents[1] / "jobs" / "sweeps" / "cifar10.yaml"
NETWORKS = {
    "vgg16_bn": ("cifar_vgg16_bn", "vgg16_bn_cifar10_fp16.safetensors"),
    "resnet56": ("cifar_resnet56", "resnet56_cifar10.safetensors"),
}

REPAIRED = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
"""Compressions of the repaired networks."""


def methods(steps: int) -> dict[str, dict[str, object]]:
    """The methods of the sweep; tuned ones take so many steps."""
    integral: dict[str, object] = {"kind": "integral", "allocation": "least-error"}
    identity: dict[str, object] = {"ordering": {"method": "identity"}}
    tune: dict[str, object] = {"tune": {"steps": steps, "samples": 4096}}
    repair: dict[str, object] = {"quadrature": "means", "repair": "variance"}
    return {
        "dense": {"kind": "dense"},
        "random": {"kind": "criterion", "criterion": "random"},
        "l1": {"kind": "criterion", "criterion": "l1"},
        "l1_least_error": {"kind": "criterion", "criterion": "l1", "allocation": "least-error"},
        "integral_uniform": {"kind": "integral"},
        "integral": integral,
        "integral_unpermuted": {**integral, **identity},
        "integral_tune": {**integral, **tune},
        "integral_tune_unpermuted": {**integral, **identity, **tune},
        "integral_repair": {**integral, **repair},
        "integral_repair_tune": {**integral, **repair, **tune},
    }


def main() -> None:
    """Run the sweep, and print its figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default=os.environ.get("ORCHARD_DATA"), help="Folder with cifar-10-batches-bin.")
    parser.add_argument("--weights", default=os.environ.get("ORCHARD_WEIGHTS"), help="Folder with both checkpoints.")
    parser.add_argument("--store", help="Where results are kept, to go on from; default: nowhere.")
    parser.add_argument("--quick", action="store_true", help="ResNet-56 at 40 %%, one seed, 200 images, 2 steps.")
    parser.add_argument("--steps", type=int, default=300, help="Of tuning, at most 300.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=methods(0), default=list(methods(0)), help="Default: all.")
    parser.add_argument("--test-images", type=int, default=10_000)
    arguments = parser.parse_args()
    if not arguments.data or not arguments.weights:
        parser.error("say where data and checkpoints are: --data DIR --weights DIR")
    if arguments.quick:
        arguments.steps, arguments.seeds, arguments.test_images = 2, 1, 200
    with tempfile.TemporaryDirectory() as scratch:
        figures = _run(arguments, arguments.store or f"{scratch}/store", f"sqlite:///{scratch}/mlflow.db")
    print(json.dumps(figures))


def _run(arguments: argparse.Namespace, store: str, tracking: str) -> dict[str, float]:
    chosen = ["resnet56"] if arguments.quick else list(NETWORKS)
    models = {
        name: {"network": network, "weights": f"{arguments.weights}/{file}"}
        for name, (network, file) in NETWORKS.items()
        if name in chosen
    }
    changes = {
        "name": "integral_accuracy",
        "storage": store,
        "tracking": tracking,
        "seeds": list(range(arguments.seeds)),
        "data.root": arguments.data,
        "data.test_images": arguments.test_images,
        "models": models,
        "compressions": [0.4] if arguments.quick else [0.1, 0.2, 0.3, 0.4],
        "methods": {
            name: {**spec, "compressions": REPAIRED} if "integral_repair" in name and not arguments.quick else spec
            for name, spec in methods(arguments.steps).items()
            if name in arguments.methods
        },
    }
    overrides = [f"{path}={json.dumps(value)}" for path, value in changes.items()]
    if running.run(str(SWEEP), overrides, backend="ray"):
        raise SystemExit("the sweep did not end; its last lines say why")
    record, opened = find_record("integral_accuracy", load_sweep(SWEEP, overrides).storage)
    accuracies: dict[str, list[float]] = defaultdict(list)
    for curve in collect(record, opened):
        key = f"{curve.plan.model}.{curve.plan.method}"
        for point in curve.points:
            accuracies[f"{key}.{point.step}" if point.step else key].append(point.metrics["accuracy"])
    return {key: round(100 * mean(values), 2) for key, values in accuracies.items()}


if __name__ == "__main__":
    main()
