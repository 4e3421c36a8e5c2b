"""The effect of the channel order: accuracy after uniform resampling, for each ordering and each distance.

Trained networks, batch norms folded, no data and no tuning; every width and every cell is uniform, so that what differs
is the order alone. It is a sweep like any other, run by Orchard itself in one process. Figures are test accuracies in
%, by network, ordering and compression asked for, such as `resnet56.tsp-l1.30`: mean over the seeds, and standard
deviation. The trained networks are not part of the project: say where the two files and the data are; without them only
the network of the quickstart is measured, which is trained here. --quick takes a minute or two.

    python -m benchmarks.ordering_accuracy [--data DIR --weights DIR] [--quick] [--seeds N] [--store URI]
"""

import argparse
import json
import os
import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.integral_accuracy import NETWORKS
from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.commands.locating import find_record
from orchestrator.results import collect

SWEEPS = Path(__file__).parents[1] / "jobs" / "sweeps"
ORDERINGS: dict[str, dict[str, str]] = {
    **{name: {"method": name} for name in ("identity", "random", "norm", "spectral")},
    **{
        f"tsp-{metric}{'-tensor' * (normalize == 'tensor')}": {"metric": metric, "normalize": normalize}
        for metric, normalize in product(("l1", "l2", "cosine"), ("none", "tensor"))
    },
}


def methods() -> dict[str, dict[str, object]]:
    """An integral method per ordering, and the dense network."""
    uniform: dict[str, object] = {"kind": "integral", "partition": "uniform", "quadrature": "midpoint"}
    integral: dict[str, dict[str, object]] = {
        name: {**uniform, "ordering": {**ordering, "effort": "fast"}} for name, ordering in ORDERINGS.items()
    }
    return {"dense": {"kind": "dense"}, **integral}


def measure(sweep: str, name: str, changes: dict[str, object], storage: str) -> dict[str, list[float]]:
    """Run one sweep with these methods; accuracies over the seeds, by `network.ordering.compression`.

    Args:
        sweep: The file in `jobs/sweeps` to start from.
        name: The sweep's name.
        changes: What differs, by path.
        storage: Where results are kept.
    """
    changes = {
        "name": name,
        "storage": f"{storage}/store",
        "tracking": f"sqlite:///{storage}/mlflow.db",
        "compressions": [0.2, 0.3, 0.4],
        "methods": methods(),
        **changes,
    }
    overrides = [f"{path}={json.dumps(value)}" for path, value in changes.items()]
    if running.run(str(SWEEPS / sweep), overrides, backend="inline"):
        raise SystemExit("the sweep did not end; its last lines say why")
    record, store = find_record(name, load_sweep(SWEEPS / sweep, overrides).storage)
    accuracies: dict[str, list[float]] = defaultdict(list)
    for curve in collect(record, store):
        key = f"{curve.plan.model}.{curve.plan.method}"
        for point in curve.points:
            accuracies[f"{key}.{point.step}" if point.step else key].append(100 * point.metrics["accuracy"])
    return accuracies


def main() -> None:
    """Run the sweeps, and print their figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("ORCHARD_DATA"), help="Folder with cifar-10-batches-bin.")
    parser.add_argument("--weights", default=os.environ.get("ORCHARD_WEIGHTS"), help="Folder with both checkpoints.")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--store", help="Folder where results are kept, to go on from; default: nowhere.")
    parser.add_argument("--quick", action="store_true", help="The quickstart's network alone, one seed, 30 %%.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--test-images", type=int, default=2000)
    arguments = parser.parse_args()
    seeds = {"seeds": list(range(1 if arguments.quick else arguments.seeds))}
    with tempfile.TemporaryDirectory() as scratch:
        storage = str(Path(arguments.store).absolute()) if arguments.store else scratch
        quick = {"compressions": [0.3]} if arguments.quick else {}
        found = measure("quickstart.yaml", "ordering_quickstart", {**seeds, **quick}, storage)
        if arguments.data and arguments.weights and not arguments.quick:
            models = {
                name: {"network": NETWORKS[name][0], "weights": f"{arguments.weights}/{NETWORKS[name][1]}"}
                for name in arguments.networks
            }
            data = {"data.root": arguments.data, "data.test_images": arguments.test_images, "models": models}
            found |= measure("cifar10.yaml", "ordering_cifar10", {**seeds, **data}, storage)
    figures = {
        key: [round(fmean(values), 2), round(stdev(values), 2) if len(values) > 1 else 0.0]
        for key, values in found.items()
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
