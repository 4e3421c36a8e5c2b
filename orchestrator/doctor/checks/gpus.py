"""Checks that torch sees the GPUs that a sweep requests."""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "gpus"

_DRIVER = (
    "check `nvidia-smi` there, the driver's version, and that torch is a build for CUDA "
    '(python -c "import torch; print(torch.version.cuda)")'
)


def judge(device: str, machines: Sequence[HostFacts], startable_gpus: float) -> Finding:
    """Check the GPUs.

    Args:
        device: The sweep's: `cpu`, `cuda` or `auto`.
        machines: The machines that run tasks.
        startable_gpus: GPUs of all nodes that are alive or that an autoscaler could start.
    """
    if device == "cpu":
        return ok(NAME, "the sweep requests none (device: cpu)")
    seen = sum(machine.gpus or 0 for machine in machines)
    for machine in machines:
        if machine.slot_gpus and not machine.gpus:
            said = f": {machine.gpu_problem}" if machine.gpu_problem else ""
            found = f"Ray offers {machine.slot_gpus:g} GPUs on {machine.name}, where torch sees none{said}"
            return fail(NAME, found, _DRIVER)
    if seen:
        return ok(NAME, f"torch sees {seen}")
    if device == "auto":
        later = f"; {startable_gpus:g} could be started: say `device: cuda` to use them" if startable_gpus else ""
        verdict = warn if startable_gpus else None
        found = f"none is there now, and `device: auto` then means cpu{later}"
        return verdict(NAME, found, "set `device` in the sweep file") if verdict else ok(NAME, found)
    if startable_gpus:
        return warn(
            NAME,
            f"none is up yet; nodes with {startable_gpus:g} could be started",
            "nothing, if the autoscaler starts them; `orchard doctor` while one is up tells whether torch sees it",
        )
    return fail(
        NAME, "the sweep says `device: cuda`, and there is no GPU", "set `device: cpu`, or use a cluster with GPUs"
    )
