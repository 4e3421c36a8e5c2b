"""What a race saves of the fine-tuning on the leaderboard's sweep, and whether the same methods win.

The methods of `jobs/sweeps/leaderboard_cifar10.yaml` that are fine-tuned there, at its compressions, once with a race
(half goes on at each rung) and once without, on the small network of its reduced form. Both runs share a store: what is
not trained after pruning is computed once. Figures:

- saved: share of the training after pruning that the race leaves out, in multiply-accumulates; saved_s: in seconds of
  the tasks;
- races, entrants: how many there are, and methods in each;
- winners_kept: share of the races that the same method wins, by validation accuracy at the end of the training, mean
  over the seeds;
- worst_loss: by how much the winner of a race is worse on the test images than that of the whole training, in points,
  at most; 0 where all are the same.

    python -m benchmarks.racing --data DIR [--storage DIR] [--rungs 0.1 0.3] [--seeds N] [--quick]
    python -m benchmarks.racing --quick               # without data: on digits
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from jobs.identity import Json
from jobs.load import load_sweep
from jobs.measured import number
from jobs.metric import STOPPED
from jobs.percent import to_percent
from orchestrator import run_sweep
from orchestrator.results import Curve, SweepRecord, collect
from orchestrator.store import ArtifactStore, open_store

PROTOCOL = "fine-tune"
NETWORK: Mapping[str, Json] = {
    "network": "resnet",
    "arguments": {"widths": [8, 16, 32]},
    "train": {"settings": "cifar_short", "epochs": 3},
}
DIGITS: Mapping[str, Json] = {
    "network": "resnet",
    "arguments": {"widths": [8, 12], "in_channels": 1},
    "train": {"epochs": 3},
}
DIGITS_TUNED: Mapping[str, Json] = {"epochs": 2, "schedule": "cosine", "learning_rate": 0.01}


def write_sweeps(
    folder: Path, storage: str, data: str | None, rungs: list[float], seeds: int, quick: bool
) -> dict[str, Path]:
    """Write the sweep with a race and the one without; returns their files by name."""
    changes: dict[str, Json] = {
        "models": {"resnet8": NETWORK},
        "data.root": data,
        "storage": storage,
        "tracking": f"sqlite:///{folder}/mlflow.db",
        "seeds": list(range(seeds)),
    }
    if data is None:
        del changes["data.root"]
        changes |= {"models": {"net": DIGITS}, "data": {"dataset": "digits"}}
        changes[f"protocols.{PROTOCOL}.train"] = DIGITS_TUNED
    if quick:
        changes["compressions"] = [0.47, 0.86]
    overrides = [f"{path}={json.dumps(value)}" for path, value in changes.items()]  # JSON is YAML, too
    document = load_sweep("leaderboard_cifar10", overrides).model_dump(mode="json", exclude_defaults=True)
    tuned = {name: method for name, method in document["methods"].items() if PROTOCOL in method.get("protocols", ())}
    document["methods"] = {name: {**method, "protocols": [PROTOCOL]} for name, method in tuned.items()}
    document |= {"controls": False, "protocols": {PROTOCOL: document["protocols"][PROTOCOL]}}
    paths = {}
    for name, race in {"whole": None, "raced": {"rungs": rungs, "keep": 0.5}}.items():
        protocol = {**document["protocols"][PROTOCOL], **({"race": race} if race else {})}
        paths[name] = folder / f"{name}.yaml"
        paths[name].write_text(json.dumps({**document, "name": name, "protocols": {PROTOCOL: protocol}}))
    return paths


class Trainings:
    """The trainings of one of the sweeps."""

    def __init__(self, name: str, store: ArtifactStore) -> None:
        record = SweepRecord.from_json(store.read_sweep(name))
        self._store, self._curves = store, collect(record, store)
        self.entrants = len({curve.plan.method for curve in self._curves})

    @property
    def macs(self) -> float:
        """All multiply-accumulates of the training after pruning."""
        return sum(point.metrics["training_macs"] for curve in self._curves for point in curve.points)

    @property
    def seconds(self) -> float:
        """All seconds of the tasks that trained after pruning."""
        manifests = [each for keys in self._trainings() for each in self._store.manifests(keys)[0].values()]
        return sum({each.key: each.duration_s for each in manifests}.values())

    def winners(self) -> dict[int, tuple[str, float]]:
        """Compression in percent -> the method that is best on validation in the end, and its accuracy on test."""
        found: dict[int, dict[str, list[tuple[float, float]]]] = {}
        for curve in self._curves:
            for asked, validation, test in self._ends(curve):
                found.setdefault(asked, {}).setdefault(curve.plan.method, []).append((validation, test))
        best = {asked: max(ends, key=lambda name: fmean(v for v, _ in ends[name])) for asked, ends in found.items()}
        return {asked: (name, fmean(test for _, test in found[asked][name])) for asked, name in best.items()}

    def _ends(self, curve: Curve) -> list[tuple[int, float, float]]:
        """Of every point whose training was not stopped: its compression, and its accuracies."""
        ends = []
        for point in curve.points:
            trained = self._store.manifest(self._store.manifest(point.key).inputs["network"])
            last = trained.measurements["last"]
            if not isinstance(last, Mapping):
                raise TypeError(f"{trained.label}: its last epoch is {last!r}")
            if STOPPED not in trained.measurements:
                ends.append((to_percent(point.asked), number(last, "validation_accuracy"), point.value))
        return ends

    def _trainings(self) -> list[set[str]]:
        """The legs of the training behind every point."""
        lines = []
        for curve in self._curves:
            for point in curve.points:
                key: str | None = self._store.manifest(point.key).inputs["network"]
                line = set()
                while key is not None:
                    line.add(key)
                    key = self._store.manifest(key).inputs.get("procedure.leg.start")
                lines.append(line)
        return lines


def measure(storage: str, data: str | None, rungs: list[float], seeds: int, quick: bool) -> dict[str, Json]:
    """Run both sweeps and compare them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_sweeps(Path(folder), storage, data, rungs, seeds, quick)
        for path in paths.values():
            run_sweep(path, backend="inline")
    store = open_store(storage)
    whole, raced = (Trainings(name, store) for name in paths)
    won, kept = whole.winners(), raced.winners()
    return {
        "saved": round(1 - raced.macs / whole.macs, 3),
        "saved_s": round(1 - raced.seconds / whole.seconds, 3),
        "races": len(won),
        "entrants": whole.entrants,
        "winners_kept": round(fmean(won[asked][0] == kept[asked][0] for asked in won), 3),
        "worst_loss": round(100 * max(0.0, *(won[asked][1] - kept[asked][1] for asked in won)), 2),
        "winners": {str(asked): name for asked, (name, _) in won.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="Where CIFAR-10 lies; default: digits.")
    parser.add_argument("--storage", help="A store that is kept, to go on with; default: a temporary one.")
    parser.add_argument("--rungs", type=float, nargs="+", default=[0.1, 0.3], help="Of the race.")
    parser.add_argument("--seeds", type=int, help="How many; default: three, one with --quick.")
    parser.add_argument("--quick", action="store_true", help="Two compressions.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        seeds = asked.seeds or (1 if asked.quick else 3)
        print(json.dumps(measure(asked.storage or f"{temporary}/store", asked.data, asked.rungs, seeds, asked.quick)))


if __name__ == "__main__":
    main()
