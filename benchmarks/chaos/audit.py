"""Audits a sweep after faults, from the store, from MLflow's database and from the stages' own records."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import world
from jobs.artifact import CorruptArtifactError, MissingArtifactError
from orchestrator.planning import Plan
from orchestrator.results import METRICS
from orchestrator.store import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFindings:
    """What is wrong with a sweep that has come to its end.

    Attributes:
        lost: Points without a readable result, or without their rows in MLflow.
        duplicated: Rows or runs in MLflow beyond one per point and one per curve.
        recomputed: Stages that began after their result was committed.
        doubled: Stages that one driver began while another, alive, had begun it.
        repeated_steps: Steps of long stages that ran more than once: what the checkpoints did not save.
        computed: Stages that began.
    """

    lost: int
    duplicated: int
    recomputed: int
    doubled: int
    repeated_steps: int
    computed: int

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing twice."""
        return not (self.lost or self.duplicated or self.recomputed or self.doubled)


def audit(root: Path, plan: Plan, count: Callable[[str], int]) -> AuditFindings:
    """Look at a sweep after its last driver has ended.

    Args:
        root: Its folder.
        plan: Its plan.
        count: Counts rows of MLflow's database: `select count(*) from ...`.
    """
    store = open_store(str(root / "store"))
    noted = world.notes(root / "record.jsonl")
    lost = recomputed = 0
    committed: dict[str, float] = {}
    for key in {str(entry["key"]) for entry in noted} | set(plan.targets):
        try:
            committed[key] = store.manifest(key).created_s
        except (MissingArtifactError, CorruptArtifactError):
            lost += key in plan.targets
    began = [entry for entry in noted if entry["event"] == "began"]
    for entry in began:
        recomputed += float(str(entry["at_s"])) > committed.get(str(entry["key"]), float("inf"))
    steps = [(entry["key"], entry["step"]) for entry in noted if entry["event"] == "step"]
    rows_lost, duplicated = _rows(count, plan)
    return AuditFindings(
        lost=lost + rows_lost,
        duplicated=duplicated,
        recomputed=recomputed,
        doubled=_doubled(noted),
        repeated_steps=len(steps) - len(set(steps)),
        computed=len(began),
    )


def _doubled(noted: list[dict[str, object]]) -> int:
    """Begins of a task that a driver had begun which was not killed since."""
    found = 0
    begun_by: dict[object, object] = {}
    for entry in noted:
        if entry["event"] == "killed":
            begun_by = {key: driver for key, driver in begun_by.items() if driver != entry["driver"]}
        elif entry["event"] == "began":
            found += begun_by.setdefault(entry["key"], entry["driver"]) != entry["driver"]
    return found


def _rows(count: Callable[[str], int], plan: Plan) -> tuple[int, int]:
    """Points whose rows MLflow lacks, and rows and runs that it has too many of."""
    points = sum(len(curve.points) for curve in plan.curves)
    means = {(curve.model, curve.method, curve.protocol) for curve in plan.curves}
    active = "run_uuid in (select run_uuid from runs where lifecycle_stage = 'active')"
    seeds = f"{active} and run_uuid in (select run_uuid from tags where key = 'orchard.kind' and value = 'seed')"
    runs, rows = count(f"runs where {active}"), count(f"metrics where {active}")
    distinct = count(f"(select distinct run_uuid, key, step from metrics where {active}) as found")
    of_points = count(f"(select distinct run_uuid, key, step from metrics where {seeds}) as found")
    missing = max(0, points * len(METRICS) - of_points)
    too_many = max(0, rows - distinct) + max(0, runs - len(plan.curves) - len(means) - 1)
    return -(-missing // len(METRICS)), too_many
