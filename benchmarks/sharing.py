"""The savings of sharing: stage-seconds of a sweep whose trials share stages, relative to the same trials alone.

The shape of Integral Neural Networks' Figure 1: eight methods x five compressions x three seeds, here on scikit-learn's
digits with the quickstart's network. Together, they are one sweep in one store: what trials have in common is computed
once. Alone, every trial is a sweep of its own in an empty store, as a script per trial would be. Both run in one
process, one task at a time; `stage_seconds_ratio` is the time in stages of the one over that of the other. With
--trials, so many trials, spread evenly over all of them, are run alone, and their mean stands for the rest.

    python -m benchmarks.sharing [--quick] [--trials N]
"""

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.store import open_store

SWEEP = Path(__file__).parents[1] / "jobs" / "sweeps" / "quickstart.yaml"
INTEGRAL: dict[str, object] = {"kind": "integral", "partition": "uniform", "quadrature": "midpoint"}
METHODS: dict[str, dict[str, object]] = {
    **{
        name: {"kind": "criterion", "criterion": name}
        for name in ("l1", "mean-mean", "mean-std", "mean-l1", "mean-l2", "var-l2")
    },
    "integral": INTEGRAL,
    "integral-tuned": {**INTEGRAL, "tune": {"steps": 60}},
}
COMPRESSIONS, SEEDS = (0.1, 0.2, 0.3, 0.4, 0.5), (0, 1, 2)


def stage_seconds(methods: Sequence[str], compressions: Sequence[float], seeds: Sequence[int]) -> float:
    """Seconds in stages of a sweep of these, in an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        changes = {
            "name": "sharing",
            "controls": False,
            "storage": f"{folder}/store",
            "tracking": f"sqlite:///{folder}/mlflow.db",
            "seeds": list(seeds),
            "compressions": list(compressions),
            "methods": {name: METHODS[name] for name in methods},
        }
        overrides = [f"{path}={json.dumps(value)}" for path, value in changes.items()]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            failed = running.run(str(SWEEP), overrides, backend="inline")
        if failed:
            raise SystemExit("a sweep did not end; run it by itself to see why")
        store = open_store(load_sweep(SWEEP, overrides).storage)
        manifests, _ = store.manifests(store.keys())
        return sum(manifest.duration_s for manifest in manifests.values())


def main() -> None:
    """Measure both, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Two methods, two compressions, one seed.")
    parser.add_argument("--trials", type=int, help="Run so many trials alone; default: all.")
    arguments = parser.parse_args()
    methods = ["l1", "integral"] if arguments.quick else list(METHODS)
    compressions = COMPRESSIONS[:2] if arguments.quick else COMPRESSIONS
    seeds = SEEDS[:1] if arguments.quick else SEEDS
    trials = list(product(methods, compressions, seeds))
    step = max(len(trials) // (arguments.trials or len(trials)), 1)
    stage_seconds(["l1"], [0.1], [0])  # imports, and what torch sets up once
    together = stage_seconds(methods, compressions, seeds)
    alone = [stage_seconds([method], [compression], [seed]) for method, compression, seed in trials[::step]]
    total = fmean(alone) * len(trials)
    print(
        json.dumps(
            {
                "stage_seconds_ratio": round(together / total, 4),
                "seconds_shared": round(together, 1),
                "seconds_alone": round(total, 1),
                "trials": len(trials),
                "trials_run_alone": len(alone),
            }
        )
    )


if __name__ == "__main__":
    main()
