"""Injects each fault many times at random moments, and prints a table of the results.

Figures: runs (faults that met a sweep), lost (points), duplicated (rows and runs in MLflow), recomputed (stages that
began after their result was committed), doubled (stages that one driver began beside another), faults (the same for
each fault, with the steps of long stages that ran twice and the longest time from a signal to the end of a driver).
`--quick`: most faults against files and inline drivers once, none on Ray.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

# A fork of this process has them too.
import matplotlib.pyplot  # noqa: F401
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

from benchmarks.chaos.arena import Arena
from benchmarks.chaos.audit import AuditFindings
from benchmarks.chaos.inline_faults import FAULTS
from benchmarks.chaos.postgresql import Postgres
from benchmarks.chaos.ray_faults import PREEMPTION, RAY_FAULTS, Field, RayFault, field, head_killed
from benchmarks.chaos.tracking_fault import COMPRESSIONS, mlflow_killed, postgresql_killed
from workers.stages import Product  # noqa: F401  # for forks, too

_INLINE_MODELS, _RAY_MODELS, _HEAD_MODELS = 2, 6, 40
_LONG = frozenset({"MLflow killed", "writes fail now and then"})
"""Left out of `--quick`: a server's start and many back-offs take a quarter of a minute each."""
_POSTGRESQL, _HEAD = "PostgreSQL killed", "head killed"
_PER_SWEEP = 5
"""So many faults meet one sweep on Ray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One sweep under one kind of fault.

    Attributes:
        fault: Its name.
        met: How many met the sweep while it ran.
        found: What became of the sweep.
        longest_end_s: The longest that a driver took to end after a signal; 0 where none was sent.
    """

    fault: str
    met: int
    found: AuditFindings
    longest_end_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where sweeps are made.

    Attributes:
        folder: Each gets a folder below it.
    """

    folder: Path

    def arena(self, fault: str, index: int, **more: Any) -> Arena:
        """A sweep of its own; the same fault and number always draw the same moments."""
        root = self.folder / f"{fault.replace(' ', '-')}-{index}"
        root.mkdir(parents=True)
        database = root / "mlflow.db"
        if "counted" not in more:  # else the sweep goes to another database
            shutil.copy(self._empty_database(), database)
        return Arena(root=root, database=database, draw=random.Random(f"{fault} {index}"), **more)

    def _empty_database(self) -> Path:
        """MLflow takes seconds to make one. In a process of its own, as this one is forked and has no connection."""
        path = self.folder / "template.db"
        if not path.exists():
            code = f"from orchestrator.tracking.address import opened\nwith opened('sqlite:///{path}'):\n    pass"
            subprocess.run([sys.executable, "-c", code], check=True)
        return path


def inline_runs(ground: Ground, times: int, wanted: Callable[[str], bool]) -> Iterator[Run]:
    """Each fault that needs no cluster, so many times, each on a sweep of its own."""
    for name, fault in [*FAULTS.items(), ("MLflow killed", mlflow_killed)]:
        for index in range(times if wanted(name) else 0):
            arena = ground.arena(name, index, num_models=_INLINE_MODELS)
            fault(arena)
            yield Run(fault=name, met=1, found=arena.finish())


def postgresql_runs(ground: Ground, times: int, wanted: Callable[[str], bool]) -> Iterator[Run]:
    """PostgreSQL killed, so many times, each under two sweeps of their own."""
    if not wanted(_POSTGRESQL):
        return
    with Postgres() as postgres:
        for index in range(times):
            served, direct = (_on_postgresql(ground, postgres, way, index) for way in ("served", "direct"))
            with postgresql_killed(served, direct, postgres):
                for way, arena in (("by a server", served), ("directly", direct)):
                    yield Run(fault=f"{_POSTGRESQL}, {way}", met=1, found=arena.finish())


def _on_postgresql(ground: Ground, postgres: Postgres, way: str, index: int) -> Arena:
    """A sweep with a new database of its own; who comes first makes MLflow's tables."""
    database = f"{way}{index}"
    postgres.execute("postgres", f"create database {database}")

    def count(what: str) -> int:
        return int(postgres.execute(database, f"select count(*) from {what}")[0][0])

    arena = ground.arena(
        f"{_POSTGRESQL} {way}", index, num_models=_INLINE_MODELS, num_compressions=COMPRESSIONS, counted=count
    )
    arena.tracking = postgres.address(database)
    return arena


def ray_runs(
    ground: Ground, times: int, wanted: Callable[[str], bool], *, faults: Mapping[str, RayFault] = RAY_FAULTS
) -> Iterator[Run]:
    """Each fault on a cluster, so many times, several on one sweep."""
    with field() as cluster:
        for name, fault in faults.items():
            met = index = 0
            while wanted(name) and met < times:  # a sweep may be over before a fault meets it
                arena = ground.arena(name, index, **_on_ray(cluster))
                now_met = fault(arena, cluster, min(_PER_SWEEP, times - met))
                met, index = met + now_met, index + 1
                yield Run(fault=name, met=now_met, found=arena.finish(), longest_end_s=arena.longest_end_s)


def head_runs(ground: Ground, times: int, wanted: Callable[[str], bool]) -> Iterator[Run]:
    """The head of a cluster killed, so many times; each sweep is completed on another cluster."""
    if not wanted(_HEAD):
        return
    with field() as cluster:
        for index in range(times):
            arena = ground.arena(_HEAD, index, **(_on_ray(cluster) | {"num_models": _HEAD_MODELS}))
            met = head_killed(arena)
            arena.ray_address = cluster.address
            yield Run(fault=_HEAD, met=met, found=arena.finish(), longest_end_s=arena.longest_end_s)


def _on_ray(cluster: Field) -> dict[str, Any]:
    return {"num_models": _RAY_MODELS, "ray_address": cluster.address, "environment": dict(os.environ)}


PLACES: dict[str, Callable[[Ground, int, Callable[[str], bool]], Iterator[Run]]] = {
    "inline": inline_runs,
    "postgresql": postgresql_runs,
    "ray": ray_runs,
    "preemption": partial(ray_runs, faults=PREEMPTION),
    "head": head_runs,
}
"""Where faults strike."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--where", nargs="+", choices=PLACES, default=PLACES, help="Only the faults there.")
    parser.add_argument("--fault", default="", help="Only faults with this in their name.")
    parser.add_argument("--times", type=int, default=20, help="How often each fault; default 20.")
    arguments = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="orchard-chaos-") as name:
        folder = Path(name)
        os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(folder)}
        ground = Ground(folder=folder)
        times = 1 if arguments.quick else arguments.times

        def wanted(fault: str) -> bool:
            return arguments.fault in fault and not (arguments.quick and fault in _LONG)

        for place in ["inline"] if arguments.quick else arguments.where:
            _tally(PLACES[place](ground, times, wanted), table)
    total = {
        key: sum(row[key] for row in table.values()) for key in ("runs", "lost", "duplicated", "recomputed", "doubled")
    }
    print(json.dumps({**total, "faults": table}))


def _tally(runs: Iterator[Run], table: dict[str, dict[str, float]]) -> None:
    counted = ("lost", "duplicated", "recomputed", "doubled", "repeated_steps")
    for run in runs:
        row = table.setdefault(run.fault, dict.fromkeys(("runs", "sweeps", *counted, "longest_end_s"), 0))
        row["runs"] += run.met
        row["sweeps"] += 1
        for key in counted:
            row[key] += getattr(run.found, key)
        row["longest_end_s"] = max(row["longest_end_s"], round(run.longest_end_s, 2))
        print(f"{time.strftime('%H:%M:%S')} {run.fault}: {row}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
