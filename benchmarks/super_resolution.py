"""Integral Neural Networks, Figure 1 d and Table 1: super-resolution from a hundred photographs.

SRCNN x3 and a small EDSR x4 are trained, pruned by 9, 16, 30 and 40 % without fine-tuning, and evaluated on five test
images: the paper's criteria, integral networks with uniform partitions, and the same tuned. Figures are PSNR on luma in
dB, mean over the seeds and standard deviation, by model, method and compression (`edsr.mean-std.40`);
`MODEL.gain_db` is by how much the unpruned network is better than bicubic enlargement, `MODEL.order` lists the methods
by the area under their curves, best first, and `MODEL.as_published` says whether from 16 % on tuned integral networks
stand before untuned ones, and those before every criterion. The photographs are not part of the project: below the
folder lie `photos` and `sr-test`. --quick takes a minute on two cores.

    python -m benchmarks.super_resolution --data DIR [--quick] [--store DIR] [--seeds N] [--models NAME ...]
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.figure1 import CRITERIA
from jobs.load import load_sweep
from orchestrator.commands import running
from orchestrator.commands.locating import find_record
from orchestrator.report import summarize
from orchestrator.report.comparison import areas
from orchestrator.report.table import CurveSummary
from orchestrator.results import collect

SWEEP = Path(__file__).parents[1] / "jobs" / "sweeps" / "inn_table1_sr.yaml"
MODELS = ("srcnn", "edsr")
COMPRESSIONS = (9, 16, 30, 40)


def methods(*, steps: int, images: int) -> dict[str, dict[str, object]]:
    """The methods of the figure.

    Args:
        steps: Of tuning.
        images: Patches that the change of the loss is taken over.
    """
    integral: dict[str, object] = {"kind": "integral", "partition": "uniform", "quadrature": "midpoint"}
    criteria: dict[str, dict[str, object]] = {name: {"kind": "criterion", "criterion": name} for name in CRITERIA}
    criteria["loss-change"]["score"] = {"images": images}
    tuned = {**integral, "tune": {"steps": steps, "samples": 480, "batch_size": 16}}
    return {"dense": {"kind": "dense"}, **criteria, "integral": integral, "integral-tuned": tuned}


def main() -> None:
    """Run the sweep, and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("ORCHARD_PHOTOS"), help="Folder with photos and sr-test.")
    parser.add_argument("--store", help="Folder where results are kept, to go on from; default: nowhere.")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--quick", action="store_true", help="40 %%, one seed, one image, 20 steps of training.")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("say where the photographs are: --data DIR")
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(_run(arguments, str(Path(arguments.store or scratch).absolute()))))


def _run(arguments: argparse.Namespace, storage: str) -> dict[str, object]:
    quick = arguments.quick
    reduced = f"@{SWEEP.parent / 'reduced' / SWEEP.name}"
    changes: dict[str, object] = {
        "name": "super_resolution",
        "storage": f"{storage}/store",
        "tracking": f"sqlite:///{storage}/mlflow.db",
        "seeds": [0] if quick else list(range(arguments.seeds)),
        "data.root": str(Path(arguments.data).absolute()),
        "compressions": [0.4] if quick else [percent / 100 for percent in COMPRESSIONS],
        "methods": methods(steps=2 if quick else 30, images=4 if quick else 16),
    }
    if quick:
        changes |= {"data.test_images": 1, "data.arguments.patches": 320}
        changes |= {f"models.{name}.train.epochs": 1 for name in MODELS}
    overrides = [reduced, *(f"{path}={json.dumps(value)}" for path, value in changes.items())]
    models = {name: load_sweep(SWEEP, overrides).models[name] for name in arguments.models}
    overrides.append("models=" + json.dumps({name: each.model_dump(mode="json") for name, each in models.items()}))
    if running.run(str(SWEEP), overrides, backend="inline"):
        raise SystemExit("the sweep did not end; its last lines say why")
    record, store = find_record("super_resolution", load_sweep(SWEEP, overrides).storage)
    return _figures(summarize(collect(record, store)), arguments.models)


def _figures(summary: CurveSummary, models: list[str]) -> dict[str, object]:
    found = {
        (row.model, row.method, round(100 * cell.asked)): (cell.value, cell.deviation)
        for row in summary.rows
        for cell in row.measured
    }
    figures: dict[str, object] = {
        ".".join(map(str, name)): [round(value, 3), round(deviation, 3)] for name, (value, deviation) in found.items()
    }
    under = areas(summary)
    for model in models:
        figures[f"{model}.gain_db"] = round(found[model, "dense", 0][0] - found[model, "bicubic", 0][0], 3)
        reached = sorted({percent for each, _, percent in found if each == model and percent})
        best = {percent: max(found[model, name, percent][0] for name in CRITERIA) for percent in reached}
        for percent in reached:
            figures[f"{model}.best_criterion.{percent}"] = round(best[percent], 3)
            figures[f"{model}.integral_tuned.{percent}"] = round(found[model, "integral-tuned", percent][0], 3)
        area = {row.method: each for row, each in under.items() if row.model == model}
        figures[f"{model}.order"] = sorted(area, key=lambda name: -area[name])
        figures[f"{model}.as_published"] = all(
            found[model, "integral-tuned", percent][0] >= found[model, "integral", percent][0] > best[percent]
            for percent in reached
            if percent >= 16
        )
    return figures


if __name__ == "__main__":
    main()
