"""All checks of a sweep, on this machine and in the cluster that it would run on."""

import os
from dataclasses import replace

from orchestrator.doctor.checks import authentication, clocks, gpus, storage, tracking, upload, versions
from orchestrator.doctor.cluster import RefusedError, UnreachableError, look_as_driver, look_by_dashboard, upload_sizes
from orchestrator.doctor.facts import Cluster, HostFacts, ProbeRequest
from orchestrator.doctor.finding import Finding, fail, ok, warn
from orchestrator.doctor.look import look_around, tracking_problem

_CLUSTER = "cluster"


def examine(
    question: ProbeRequest, *, device: str, address: str | None, working_dir: str, excludes: tuple[str, ...]
) -> list[Finding]:
    """Look and judge.

    Args:
        question: What the sweep wants to reach.
        device: The sweep's: `cpu`, `cuda` or `auto`.
        address: Of the cluster's dashboard. Without one, RAY_ADDRESS names the cluster; without that, there is none.
        working_dir: What would be uploaded.
        excludes: What `orchard submit` leaves out of it.
    """
    here = look_around(question)
    cluster, problem = _look(address, question)
    findings = _of_entry(cluster, problem, address or os.environ.get("RAY_ADDRESS", ""))
    if address:
        findings.append(upload.judge(upload_sizes(working_dir, excludes), working_dir))
    return [*findings, *(_of_cluster(here, cluster, question, device) if cluster else _of_here(here, question, device))]


def _look(address: str | None, question: ProbeRequest) -> tuple[Cluster | None, UnreachableError | None]:
    """The cluster, if there is one to look at, and what hindered looking."""
    if not address and "RAY_ADDRESS" not in os.environ:
        return None, None
    try:
        return look_by_dashboard(address, question) if address else look_as_driver(question), None
    except UnreachableError as error:
        return None, error


def _of_entry(cluster: Cluster | None, problem: UnreachableError | None, address: str) -> list[Finding]:
    """Whether the cluster lets us in."""
    mode_here = os.environ.get("RAY_AUTH_MODE")
    if cluster:
        return [authentication.judge(mode_here, cluster.auth_mode)]
    if problem is None:
        return [authentication.judge_alone(mode_here)]
    if isinstance(problem, RefusedError):
        return [authentication.refused(mode_here, str(problem))]
    remedy = "is this the address of a Ray dashboard, is the port forwarded, is orchard installed there?"
    return [authentication.judge_alone(mode_here), fail(_CLUSTER, f"{address}: {problem}", remedy)]


def _of_cluster(here: HostFacts, cluster: Cluster, question: ProbeRequest, device: str) -> list[Finding]:
    machines = (replace(cluster.driver, name=f"{cluster.driver.name} (driver)"), *cluster.workers)
    names = ", ".join(worker.name for worker in cluster.workers)
    no_worker = warn(
        _CLUSTER,
        "no worker is up: only the driver's machine was looked at",
        "nothing, if the autoscaler starts them; `orchard doctor` while one is up looks at it too",
    )
    findings = [
        ok(_CLUSTER, f"{len(cluster.workers)} workers were looked at: {names}") if cluster.workers else no_worker,
        tracking.judge(question.tracking, cluster.tracking_problem, on_cluster=True),
        storage.judge(question.storage, machines, on_cluster=True),
        storage.judge_space(machines),
        gpus.judge(device, cluster.workers, cluster.startable_gpus),
        versions.judge(here, machines),
        clocks.judge(cluster.workers),
    ]
    return [finding for finding in findings if finding is not None]


def _of_here(here: HostFacts, question: ProbeRequest, device: str) -> list[Finding]:
    findings = [
        tracking.judge(question.tracking, tracking_problem(question.tracking), on_cluster=False),
        storage.judge(question.storage, [here], on_cluster=False),
        storage.judge_space([here]),
        gpus.judge(device, [here], startable_gpus=0.0),
        versions.judge(here, []),
    ]
    return [finding for finding in findings if finding is not None]
