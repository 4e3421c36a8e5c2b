"""Each fault many times at random moments, and a table of what became of the sweeps.

Figures: runs (faults that met a sweep), lost (points), duplicated (rows and runs in MLflow), recomputed (stages that
began after their result was committed), faults (the same for each fault, with the steps of long stages that ran twice).
`--quick`: each fault against files and inline drivers once, none on Ray.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# A fork of this process has them too.
import matplotlib.pyplot  # noqa: F401
import mlflow  # noqa: F401

from benchmarks.chaos.arena import Arena, copy_database
from benchmarks.chaos.audit import Findings
from benchmarks.chaos.inline_faults import FAULTS
from benchmarks.chaos.ray_faults import RAY_FAULTS, Field, field
from benchmarks.chaos.tracking_fault import mlflow_killed

_INLINE_MODELS, _RAY_MODELS = 2, 6
_PER_SWEEP = 5
"""So many faults meet one sweep on Ray."""


def inline_runs(folder: Path, template: Path, times: int) -> Iterator[tuple[str, int, Findings]]:
    """Each fault that needs no cluster, so many times, each on a sweep of its own."""
    for name, fault in [*FAULTS.items(), ("MLflow killed", mlflow_killed)]:
        for index in range(times):
            root = folder / f"{name.replace(' ', '-')}-{index}"
            arena = Arena(
                root=root,
                database=copy_database(template, root),
                draw=random.Random(f"{name} {index}"),
                num_models=_INLINE_MODELS,
            )
            fault(arena)
            yield name, 1, arena.finish()


def ray_runs(folder: Path, template: Path, times: int) -> Iterator[tuple[str, int, Findings]]:
    """Each fault on a cluster, so many times, several on one sweep."""
    with field() as cluster:
        for name, fault in RAY_FAULTS.items():
            met = index = 0
            while met < times:
                root = folder / f"{name.replace(' ', '-')}-{index}"
                result = _on_ray(root, template, cluster, name, fault, min(_PER_SWEEP, times - met))
                met, index = met + result[1], index + 1
                yield result


def _on_ray(
    root: Path, template: Path, cluster: Field, name: str, fault: Callable[[Arena, Field, int], int], count: int
) -> tuple[str, int, Findings]:
    arena = Arena(
        root=root,
        database=copy_database(template, root),
        draw=random.Random(str(root.name)),
        num_models=_RAY_MODELS,
        ray_address=cluster.address,
        environment=dict(os.environ),
    )
    met = fault(arena, cluster, count)
    return name, met, arena.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--where", choices=["inline", "ray"], help="Only the faults there; default: both.")
    parser.add_argument("--times", type=int, default=20, help="How often each fault; default 20.")
    arguments = parser.parse_args()
    table: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="orchard-chaos-") as name:
        folder = Path(name)
        os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(folder)}
        template = folder / "template.db"
        _make_database(template)
        times = 1 if arguments.quick else arguments.times
        if arguments.where != "ray":
            _tally(inline_runs(folder, template, times), table)
        if arguments.where != "inline" and not arguments.quick:
            _tally(ray_runs(folder, template, times), table)
    total = {key: sum(row[key] for row in table.values()) for key in ("runs", "lost", "duplicated", "recomputed")}
    print(json.dumps({**total, "faults": table}))


def _tally(runs: Iterator[tuple[str, int, Findings]], table: dict[str, dict[str, int]]) -> None:
    for name, met, found in runs:
        row = table.setdefault(
            name, dict.fromkeys(("runs", "sweeps", "lost", "duplicated", "recomputed", "repeated_steps"), 0)
        )
        row["runs"] += met
        row["sweeps"] += 1
        for key in ("lost", "duplicated", "recomputed", "repeated_steps"):
            row[key] += getattr(found, key)
        print(f"{time.strftime('%H:%M:%S')} {name}: {row}", file=sys.stderr, flush=True)


def _make_database(path: Path) -> None:
    """In a process of its own: this one is forked, and must have no open connection."""
    code = f"from orchestrator.tracking.address import opened\nwith opened('sqlite:///{path}'):\n    pass"
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main()
