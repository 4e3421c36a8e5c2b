"""Runs all checks for a sweep, on this machine and in the cluster that it would run on."""

import os
from dataclasses import replace

from orchestrator.doctor.checks import authentication, clocks, gpus, locations, storage, tracking, upload, versions
from orchestrator.doctor.cluster import RefusedError, UnreachableError, probe_as_driver, probe_by_dashboard
from orchestrator.doctor.facts import Cluster, HostFacts, ProbeRequest, Upload
from orchestrator.doctor.finding import Finding, fail, ok, warn
from orchestrator.doctor.probe import probe_host, tracking_problem

_CLUSTER = "cluster"


def examine(request: ProbeRequest, *, device: str, address: str | None, sent: Upload | None) -> list[Finding]:
    """Collect the facts and check them.

    Args:
        request: What to probe.
        device: The sweep's: `cpu`, `cuda` or `auto`.
        address: Address of the cluster's dashboard. Without one, RAY_ADDRESS names the cluster; without both, there is
            none.
        sent: What `orchard submit` would upload; None: nothing is submitted.
    """
    here = probe_host(request)
    cluster, problem = _probe(address, request)
    findings = _access_findings(cluster, problem, address or os.environ.get("RAY_ADDRESS", ""))
    if sent:
        findings += upload.judge(sent)
    if cluster:
        return [*findings, *_cluster_findings(here, cluster, request, device)]
    return [*findings, *_local_findings(here, request, device)]


def _probe(address: str | None, request: ProbeRequest) -> tuple[Cluster | None, UnreachableError | None]:
    """The facts of the cluster, if there is one, or the error that prevented probing it."""
    if not address and "RAY_ADDRESS" not in os.environ:
        return None, None
    try:
        return probe_by_dashboard(address, request) if address else probe_as_driver(request), None
    except UnreachableError as error:
        return None, error


def _access_findings(cluster: Cluster | None, problem: UnreachableError | None, address: str) -> list[Finding]:
    """Findings on access to the cluster."""
    mode_here = os.environ.get("RAY_AUTH_MODE")
    if cluster:
        return [
            authentication.judge(mode_here, cluster.auth_mode),
            authentication.judge_reach(cluster.auth_mode, cluster.gcs_address),
        ]
    if problem is None:
        return [authentication.judge_alone(mode_here)]
    if isinstance(problem, RefusedError):
        return [authentication.refused(mode_here, str(problem))]
    remedy = "is this the address of a Ray dashboard, is the port forwarded, is orchard installed there?"
    return [authentication.judge_alone(mode_here), fail(_CLUSTER, f"{address}: {problem}", remedy)]


def _cluster_findings(here: HostFacts, cluster: Cluster, request: ProbeRequest, device: str) -> list[Finding]:
    machines = (replace(cluster.driver, name=f"{cluster.driver.name} (driver)"), *cluster.workers)
    names = ", ".join(worker.name for worker in cluster.workers)
    no_worker = warn(
        _CLUSTER,
        "no worker is up: only the driver's machine was checked",
        "nothing, if the autoscaler starts them; `orchard doctor` while one is up checks it too",
    )
    findings = [
        ok(_CLUSTER, f"{len(cluster.workers)} workers were checked: {names}") if cluster.workers else no_worker,
        tracking.judge(request.tracking, cluster.tracking_problem, on_cluster=True),
        storage.judge(request.storage, machines, on_cluster=True),
        storage.judge_space(machines),
        locations.judge(request.locations, machines),
        gpus.judge(device, cluster.workers, cluster.startable_gpus),
        versions.judge(here, machines),
        clocks.judge(cluster.workers),
    ]
    return [finding for finding in findings if finding is not None]


def _local_findings(here: HostFacts, request: ProbeRequest, device: str) -> list[Finding]:
    findings = [
        tracking.judge(request.tracking, tracking_problem(request.tracking), on_cluster=False),
        storage.judge(request.storage, [here], on_cluster=False),
        storage.judge_space([here]),
        gpus.judge(device, [here], startable_gpus=0.0),
        versions.judge(here, []),
    ]
    return [finding for finding in findings if finding is not None]
