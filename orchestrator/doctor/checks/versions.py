"""Checks that all machines run the same software versions."""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "versions"

_SAME = "install the same versions on every machine: one image, or one lock file"


def judge(here: HostFacts, machines: Sequence[HostFacts]) -> Finding:
    """Compare versions. Within a cluster they must be equal; this machine only submits, so a difference is a warning.

    Args:
        here: This machine.
        machines: The cluster's machines, the driver's first; empty without a cluster.
    """
    if missing := [name for name, version in here.versions.items() if version == "not installed"]:
        return fail(NAME, f"not installed here: {', '.join(missing)}", "pip install orchard")
    if not machines:
        return ok(NAME, _text(here))
    driver, *workers = machines
    for worker in (worker for worker in workers if worker.versions):  # a silent one is found by `storage`
        if difference := _difference(driver, worker):
            return fail(NAME, difference, _SAME)
    if difference := _difference(here, driver):
        return warn(NAME, difference, f"{_SAME}; task keys use the versions of the driver's machine")
    return ok(NAME, f"{_text(driver)}, on {len(machines)} machines and here")


def _difference(one: HostFacts, other: HostFacts) -> str:
    names = [name for name in one.versions if one.versions[name] != other.versions.get(name)]
    return "; ".join(
        f"{name} is {one.versions[name]} on {one.name} and {other.versions.get(name, 'unknown')} on {other.name}"
        for name in names
    )


def _text(machine: HostFacts) -> str:
    return ", ".join(f"{name} {version}" for name, version in machine.versions.items())
