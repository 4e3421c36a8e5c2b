"""What the commands of a large store cost: a journal of a million lines, a sweep of 5,000 curves, 200,000 artifacts.

The stores are generated: nothing is computed. Each command runs as a process of its own, and its processor time (user
and system) and peak memory are taken; wall time hangs on what else the machine does. Figures: first_status_s (no
summary of the journal yet), status_s, explain_s, report_s, report_gb, report_mb (the page), gc_s, gc_gb, verify_s,
verify_gb, and what they were measured on: lines, curves, points, artifacts.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.plan import sweep
from jobs.artifact import FileEntry, Manifest
from jobs.identity import Json
from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results import METRICS, SweepRecord
from orchestrator.results.lineage import planned_settings
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.artifacts import blob_path, manifest_path
from orchestrator.store.seals import seal_json

_ENVIRONMENT = PlanEnvironment(device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={})
_RUN = """
import sys
from orchestrator.cli import main
try:
    main(sys.argv[2:])
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    open(sys.argv[1], "w").write(peak)
"""
"""Not `ru_maxrss`: a process begins with the peak of the one that started it."""

_GROUPS: list[Json] = [{"name": f"group{index}", "width": 64} for index in range(8)]
_WIDTHS: dict[str, Json] = {f"group{index}": 48 for index in range(8)}
_FULL: list[Json] = [[f"group{index}", 64] for index in range(8)]


def _measurements(task: Task) -> dict[str, Json]:
    """What an artifact of that stage measures, as far as commands read it."""
    if task.stage is StageKind.CONVERT:
        return {"groups": _GROUPS}
    if task.stage is not StageKind.EVALUATE:
        return {}
    drawn = int(task.key[:4], 16) / 2**16
    values: dict[str, Json] = dict.fromkeys(METRICS, 1234.5)
    return {**values, "accuracy": drawn, "compression": 0.3, "widths": _WIDTHS, "full_widths": _FULL}


def store_sweep(store: ArtifactStore, *, num_models: int, num_seeds: int, num_compressions: int) -> Plan:
    """Commit every task of a sweep, written without syncs; one file each, of a content of its own."""
    spec = sweep(num_models=num_models, num_seeds=num_seeds, num_compressions=num_compressions)
    plan = plan_sweep(spec, _ENVIRONMENT)
    curves = tuple(replace(curve, settings=planned_settings(plan, curve)) for curve in plan.curves)
    record = SweepRecord(
        name=spec.name, spec=spec.model_dump(mode="json"), curves=curves, environment=asdict(_ENVIRONMENT)
    )
    store.write_sweep(spec.name, record.to_json())
    for task in plan.tasks.values():
        content = task.key.encode()
        digest = hashlib.sha256(content).hexdigest()
        manifest = Manifest(
            key=task.key,
            stage=task.stage.value,
            identity=task.identity(),
            inputs=task.inputs,
            measurements=_measurements(task),
            files={"weights.safetensors": FileEntry(sha256=digest, size_bytes=len(content))},
            label=task.label,
            resources={"num_cpus": 1.0, "num_gpus": 0.0, "memory_bytes": 0},
            usage={"memory_bytes": 10**9},
        )
        for path, written in ((blob_path(digest), content), (manifest_path(task.key), seal_json(manifest.to_json()))):
            file = Path(store.uri, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(written)
    return plan


def store_journal(store: ArtifactStore, name: str, *, lines: int) -> str:
    """One driver's journal of that many lines, one attempt in a hundred retried; returns a key of it."""
    stages = ["train", "convert", "score", "prune", "evaluate"]
    counted = {stage: {"done": lines // 10, "waiting": lines // 10} for stage in stages}
    first: list[dict[str, Json]] = [
        {"kind": "start", "at_s": 1.7e9, "sweep": name, "git_commit": "", "term": 1},
        {"kind": "counts", "at_s": 1.7e9, "stages": counted},
    ]
    file = Path(store.uri, "journal", name, "20261101T000000.000000-abcdef.jsonl")
    file.parent.mkdir(parents=True, exist_ok=True)
    key = ""
    with file.open("w") as stream:
        for entry in first:
            stream.write(json.dumps(entry) + "\n")
        for number in range(lines - len(first)):
            key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
            stream.write(json.dumps(_attempt(number, key, stages[number % len(stages)])) + "\n")
    return key


def _attempt(number: int, key: str, stage: str) -> dict[str, Json]:
    shared: dict[str, Json] = {
        "at_s": 1.7e9 + number / 100,
        "key": key,
        "stage": stage,
        "label": f"net{number % 50}/l1@30%/seed{number % 5}",
        "family": f"net{number % 50}",
        "attempt": 1,
        "resources": {"num_cpus": 1.0, "num_gpus": 0.5, "memory_bytes": 0},
        "duration_s": 12.5,
        "gpu_s": 6.25,
        "host": "worker-17",
        "node": "0123456789abcdef",
        "memory_bytes": 10**9,
        "gpu_fraction": 0.25,
        "log": "",
    }
    if number % 100:
        return {"kind": "succeeded", **shared, "work": 1.0, "reused": False}
    retry: dict[str, Json] = {"delay_s": 1.0, "resources": shared["resources"], "damaged": "", "avoid": []}
    return {"kind": "failed", **shared, "cause": "preempted", "message": "lost", "final": False, "retry": retry}


def measured(*arguments: str) -> tuple[float, float]:
    """Run `orchard`; returns its processor seconds and its peak memory in GB.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.NamedTemporaryFile("r") as peak:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", _RUN, peak.name, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"orchard {' '.join(arguments)}: {done.stderr[-2000:]}")
        kilobytes = int(peak.read().split()[1])
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return round(seconds, 1), round(kilobytes * 1024 / 1e9, 2)


def measure_journal(folder: Path, lines: int) -> dict[str, float]:
    """Figures of a long journal."""
    store = open_store(folder / "journal")
    store_sweep(store, num_models=1, num_seeds=1, num_compressions=1)
    key = store_journal(store, "planning", lines=lines)
    first_s, _ = measured("status", "planning", "--storage", store.uri)
    status_s, _ = measured("status", "planning", "--storage", store.uri)
    explain_s, _ = measured("explain", key, "--storage", store.uri)
    return {"first_status_s": first_s, "status_s": status_s, "explain_s": explain_s, "lines": lines}


def measure_report(folder: Path, num_models: int) -> dict[str, float]:
    """Figures of a report on many curves."""
    store = open_store(folder / "curves")
    plan = store_sweep(store, num_models=num_models, num_seeds=5, num_compressions=7)
    out = folder / "report"
    report_s, report_gb = measured("report", "planning", "--storage", store.uri, "--out", str(out))
    return {
        "report_s": report_s,
        "report_gb": report_gb,
        "report_mb": round((out / "report.html").stat().st_size / 1e6, 2),
        "curves": len(plan.curves),
        "points": len(plan.targets),
    }


def measure_artifacts(folder: Path, num_models: int) -> dict[str, float]:
    """Figures of a store with many artifacts, all of which a sweep needs."""
    store = open_store(folder / "artifacts")
    plan = store_sweep(store, num_models=num_models, num_seeds=20, num_compressions=25)
    gc_s, gc_gb = measured("gc", "--storage", store.uri)
    verify_s, verify_gb = measured("verify", "--storage", store.uri)
    return {
        "gc_s": gc_s,
        "gc_gb": gc_gb,
        "verify_s": verify_s,
        "verify_gb": verify_gb,
        "artifacts": len(plan.tasks),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of everything.")
    parser.add_argument("--only", choices=("journal", "report", "artifacts"), help="One of the three stores.")
    given = parser.parse_args()
    part = 10 if given.quick else 1
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only in (None, "journal"):
            found |= measure_journal(folder, 1_000_000 // part)
        if given.only in (None, "report"):
            found |= measure_report(folder, 200 // part)
        if given.only in (None, "artifacts"):
            found |= measure_artifacts(folder, 44 // part)
        print(json.dumps(found), flush=True)  # deleting the stores takes long


if __name__ == "__main__":
    main()
