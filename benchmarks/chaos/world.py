"""The sweep that is run under faults: real plan, stages that sleep and note that they began."""

import json
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import CancelledError
from jobs.identity import Json
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.results import METRICS

if TYPE_CHECKING:
    from workers.checkpoints import Progress
    from workers.stages import AnyContext, Product

FILE = "out.bin"
_GROUPS: list[dict[str, Json]] = [{"name": f"group{index}", "width": 8 * (index + 1)} for index in range(3)]
_LONG = frozenset({StageKind.TRAIN, StageKind.TUNE})
STEPS = 5
"""A long stage has so many steps, with a checkpoint after each."""


SWEEP, OTHER = "chaos", "other"
"""The sweep of a folder, and one of the same tasks."""


def sweep(
    root: Path, *, num_models: int, tracking: str, name: str = SWEEP, num_compressions: int = 2
) -> tuple[SweepSpec, Plan]:
    """A sweep in a folder, and its plan."""
    document = {
        "name": name,
        "storage": str(root / "store"),
        "tracking": tracking,
        "data": {"dataset": "digits"},
        "compressions": [round(0.9 * (1 + index) / (1 + num_compressions), 2) for index in range(num_compressions)],
        "device": "cpu",
        "models": {f"net{index}": {"network": "resnet", "train": {"epochs": 1 + index}} for index in range(num_models)},
        "methods": {
            "dense": {"kind": "dense"},
            "l1": {"kind": "criterion", "criterion": "l1"},
            "tuned": {"kind": "integral", "tune": {}},
        },
    }
    spec = SweepSpec.model_validate_json(json.dumps(document))
    environment = PlanEnvironment(
        device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={}
    )
    return spec, plan_sweep(spec, environment)


def stage(context: "AnyContext", *, record: Path, seconds: float, driver: str) -> "Product":
    """A stage of any kind: reads all that it is promised, sleeps, gives what follows from its key."""
    import torch  # here, as a driver on Ray runs no stage and starts without it

    from workers.checkpoints import Progress
    from workers.stages import Product

    task = context.task
    note(record, event="began", key=task.key, driver=driver)
    read = context.artifacts.read
    content = b"".join(read(key, FILE) for key in task.inputs.values())
    if isinstance(task.params, JoiningParams):
        measured = context.artifacts.manifest(task.params.source).measurements
        content += b"".join(read(each.key, FILE) for each in joined_tasks(task, measured))
    for step in range(_steps_done(context), STEPS):
        if context.should_stop():
            raise CancelledError("stopped on request")
        if task.stage in _LONG:
            note(record, event="step", key=task.key, step=step)
        time.sleep(seconds / STEPS)
        if task.stage in _LONG:
            tensors = {"state": {"step": torch.tensor(step + 1)}}
            context.checkpoint.save(Progress(where=f"step {step + 1}", tensors=tensors, record={}))
    digest = sha256(content + task.key.encode()).digest()
    files = {} if task.stage is StageKind.EVALUATE else {FILE: digest * 32}
    return Product(measurements=_measured(task.stage, digest), files=files)


def _steps_done(context: "AnyContext") -> int:
    done = 0

    def restore(progress: "Progress") -> None:
        nonlocal done
        done = int(progress.tensors["state"]["step"])

    if context.task.stage in _LONG:
        context.checkpoint.resume(restore)
    return done


def _measured(kind: StageKind, digest: bytes) -> dict[str, Json]:
    if kind is StageKind.CONVERT:
        return {"groups": _GROUPS}
    if kind is StageKind.EVALUATE:
        return {name: digest[index] / 255 for index, name in enumerate(METRICS) if name != "duration_s"}
    return {"digest": digest.hex()}


def note(record: Path, **fields: object) -> None:
    """Append a line, whole even where many processes write at once."""
    line = json.dumps({**fields, "at_s": time.time(), "pid": os.getpid()}) + "\n"
    descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def notes(record: Path) -> list[dict[str, object]]:
    """What was noted."""
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
