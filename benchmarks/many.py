"""Hundreds of networks as one sweep: 200 trainings on digits that differ in optimiser, rate, decay and width.

A table names them; the sweep trains each, and prunes it by five methods at five compressions, on a real Ray of two
one-CPU slots, with MLflow and a report by a label. The first and the last task of a stage bound the time in which the
slots could work. Figures:

- points: measured points; models, tasks: of the sweep;
- overhead_share: the part of the slots' time between the first and the last task in which none was in its stage. Work
  of the driver on the same cores makes stages longer and is not in it;
- tasks_per_s: tasks over that time; wall_s: the whole of `orchard run`, Ray's start and MLflow included;
- logging_s: from the last task to its end, which is MLflow's and the files'; report_s: `orchard report --by`;
- analyses: of architectures, two for each width: with batch norms kept, and folded.

    python -m benchmarks.many [--quick]
"""

import argparse
import contextlib
import csv
import io
import itertools
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ray.cluster_utils import Cluster

from jobs.identity import Json
from jobs.stages.table import StageKind
from orchestrator.commands import reporting, running
from orchestrator.store import ArtifactStore, open_store

SLOTS = 2
WIDTHS = ([8, 12], [8, 16], [12, 16], [12, 24], [16, 24])
OPTIMIZERS = {"sgd": (0.2, 0.1, 0.05, 0.02, 0.01), "adam": (0.02, 0.01, 0.005, 0.002, 0.001)}
DECAYS = (0.0, 1e-4, 5e-4, 2e-3)
METHODS: Mapping[str, Json] = {
    "random": {"kind": "criterion", "criterion": "random"},
    "l1": {"kind": "criterion", "criterion": "l1"},
    "taylor": {"kind": "criterion", "criterion": "taylor"},
    "fold": {"kind": "fold"},
    "integral": {"kind": "integral", "ordering": {"effort": "fast"}},
}
COMPRESSIONS = (0.1, 0.2, 0.3, 0.4, 0.5)


def write_table(path: Path, every: int) -> int:
    """Write the table of models, or of every so many of them; returns how many these are."""
    rates = [(optimizer, rate) for optimizer, given in OPTIMIZERS.items() for rate in given]
    rows = [
        [optimizer, rate, decay, json.dumps(widths)]
        for (optimizer, rate), decay, widths in itertools.product(rates, DECAYS, WIDTHS)
    ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["train.optimizer", "train.learning_rate", "train.weight_decay", "arguments.widths"])
        writer.writerows(rows[::every])
    return len(rows[::every])


def write_sweep(folder: Path) -> Path:
    """Write the sweep of a table, beside it."""
    path = folder / "many.yaml"
    sweep: dict[str, Json] = {
        "name": "many",
        "controls": False,
        "storage": str(folder / "store"),
        "tracking": f"sqlite:///{folder}/mlflow.db",
        "device": "cpu",
        "data": {"dataset": "digits"},
        "models": {
            "table": str(folder / "zoo.csv"),
            "network": "resnet",
            "arguments": {"in_channels": 1},
            "train": {"epochs": 4, "batch_size": 64, "schedule": "cosine"},
        },
        "compressions": list(COMPRESSIONS),
        "methods": {"dense": {"kind": "dense"}, **METHODS},
    }
    path.write_text(json.dumps(sweep))  # which is YAML, too
    return path


def figures(store: ArtifactStore, wall_s: float, ended_s: float) -> dict[str, Json]:
    """What the manifests say of the run."""
    manifests = list(store.manifests(store.keys())[0].values())
    began_s = min(each.created_s - each.duration_s for each in manifests)
    last_s = max(each.created_s for each in manifests)
    busy_s = sum(each.duration_s for each in manifests)
    stages = [each.stage for each in manifests]
    return {
        "points": stages.count(StageKind.EVALUATE.value),
        "overhead_share": round(1 - busy_s / (SLOTS * (last_s - began_s)), 3),
        "wall_s": round(wall_s, 1),
        "tasks": len(manifests),
        "tasks_per_s": round(len(manifests) / (last_s - began_s), 2),
        "logging_s": round(ended_s - last_s, 1),
        "analyses": stages.count(StageKind.ANALYSE.value),
    }


def measure(folder: Path, every: int) -> dict[str, Json]:
    """Run the sweep and write its report."""
    models = write_table(folder / "zoo.csv", every)
    sweep, said = write_sweep(folder), io.StringIO()
    started = time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        failed = running.run(str(sweep), (), backend="ray")
    wall_s, ended_s = time.perf_counter() - started, time.time()
    if failed:
        raise SystemExit(f"the sweep did not end:\n{said.getvalue()[-2000:]}")
    measured = figures(open_store(str(folder / "store")), wall_s, ended_s)
    started = time.perf_counter()
    with contextlib.redirect_stdout(said):
        reporting.report(str(sweep), storage="", out=str(folder / "report"), by="learning_rate")
    report_s = round(time.perf_counter() - started, 1)
    return {**measured, "models": models, "report_s": report_s}


def main() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Every 23rd of the networks.")
    every = 23 if parser.parse_args().quick else 1
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SLOTS, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(Path(folder), every)
    finally:
        cluster.shutdown()
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
