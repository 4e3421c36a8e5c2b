"""Collects facts from inside a Ray cluster; the only module of `doctor` that imports ray.

A cluster is reached as sweeps reach it: through its dashboard, by a job that probes and prints the facts as JSON, or as
a driver that joins it (RAY_ADDRESS). Run as a module, this is that job.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jobs.errors import OrchardError
from jobs.secrets import masked_record
from orchestrator.doctor.facts import Cluster, HostFacts, ProbeRequest
from orchestrator.doctor.probe import probe_host, tracking_problem

_MARK = "orchard-doctor "
_MOST_NODES = 20
_PATIENCE_S = 120.0
_POLL_S = 0.5


class UnreachableError(OrchardError):
    """The cluster cannot be probed; the message is the cluster's own error."""


class RefusedError(UnreachableError):
    """The cluster requires authentication."""


def probe_by_dashboard(address: str, request: ProbeRequest) -> Cluster:
    """Probe a cluster by submitting a job.

    Raises:
        RefusedError: The cluster requires a token.
        UnreachableError: No job could be run, or it failed.
    """
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(
            entrypoint=f"python -m {__name__}",
            runtime_env={
                "env_vars": {
                    "ORCHARD_DOCTOR": json.dumps(masked_record(asdict(request))),
                    "RAY_USAGE_STATS_ENABLED": "0",
                },
            },
            metadata={"orchard_doctor": "1"},
        )
        status = _ended(client, job)
        logs = client.get_job_logs(job)
    except AuthenticationError as error:
        raise RefusedError(_first_line(error)) from error
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnreachableError(_first_line(error)) from error
    for line in logs.splitlines():
        if line.startswith(_MARK):
            return Cluster.from_json(json.loads(line.removeprefix(_MARK)))
    last = (logs.strip().splitlines() or ["it printed nothing"])[-1]
    raise UnreachableError(f"the probe job {job} ended as {status}: {last}")


def probe_as_driver(request: ProbeRequest) -> Cluster:
    """Join the cluster at RAY_ADDRESS and probe it.

    Raises:
        RefusedError: The cluster requires a token.
        UnreachableError: It cannot be joined.
    """
    import ray

    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except ray.exceptions.AuthenticationError as error:
        raise RefusedError(_first_line(error)) from error
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UnreachableError(_first_line(error)) from error
    try:
        return _probe_cluster(request)
    finally:
        ray.shutdown()


def upload_sizes(folder: str, excludes: Sequence[str]) -> dict[str, int]:
    """Size in bytes by path of the files of a working directory that Ray would upload, by Ray's own file walk."""
    from ray._private.runtime_env import packaging

    root = Path(folder).resolve()
    sizes: dict[str, int] = {}

    def measure(path: Path) -> None:
        if path.is_file():
            sizes[str(path.relative_to(root))] = path.stat().st_size

    left_out = [packaging._get_excludes(root, list(excludes))]
    packaging._dir_travel(root, left_out, measure, include_gitignore=True)
    return sizes


def _ended(client: Any, job: str) -> str:
    for _ in range(int(_PATIENCE_S / _POLL_S)):
        status = client.get_job_status(job)
        if status.is_terminal():
            return str(status)
        time.sleep(_POLL_S)
    client.stop_job(job)
    return f"stopped after {_PATIENCE_S:.0f} s"


def _probe_cluster(request: ProbeRequest) -> Cluster:
    import ray

    from orchestrator.backends.ray_cluster.nodes import Nodes, node_kinds

    return Cluster(
        auth_mode=os.environ.get("RAY_AUTH_MODE"),
        driver=probe_host(replace(request, gpus=False)),
        workers=tuple(_machines(request, [node for node in ray.nodes() if node["Alive"] and _has_slots(node)])),
        startable_gpus=sum(kind.gpus * kind.count for kind in node_kinds(Nodes().alive())),
        tracking_problem=tracking_problem(request.tracking),
        gcs_address=ray.get_runtime_context().gcs_address,
    )


def _has_slots(node: Mapping[str, Any]) -> bool:
    return bool(node["Resources"].get("CPU") or node["Resources"].get("GPU"))


def _machines(request: ProbeRequest, nodes: Sequence[Mapping[str, Any]]) -> Iterator[HostFacts]:
    """The facts of nodes, probed in parallel; their clocks are then read one after the other."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def probe() -> HostFacts:
        return probe_host(request)

    def read_clock() -> float:
        return time.time()

    probes = []
    for node in nodes[:_MOST_NODES]:
        affinity = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        options: dict[str, Any] = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": affinity}
        probes.append((node, ray.remote(**options)(probe).remote(), ray.remote(**options)(read_clock)))
    for node, reference, clock in probes:
        try:
            machine = ray.get(reference, timeout=_PATIENCE_S)
            skew_s, error_s = _skew(clock)
        except ray.exceptions.RayError as error:
            yield _unreachable(node["NodeManagerHostname"], error)
            continue
        gpus = node["Resources"].get("GPU", 0.0)
        yield replace(machine, slot_gpus=gpus, clock_skew_s=skew_s, clock_error_s=error_s)


def _skew(clock: Any) -> tuple[float, float]:
    """By how much a remote clock is ahead of this one, and the measurement error, in seconds."""
    import ray

    before_s = time.time()
    remote_s = ray.get(clock.remote(), timeout=_PATIENCE_S)
    after_s = time.time()
    return remote_s - (before_s + after_s) / 2, (after_s - before_s) / 2


def _unreachable(name: str, error: BaseException) -> HostFacts:
    return HostFacts(
        name=name, versions={}, storage_problem=f"no answer: {_first_line(error)}", free_bytes=None, gpus=None
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    facts = probe_as_driver(ProbeRequest.from_json(json.loads(os.environ["ORCHARD_DOCTOR"])))
    sys.stdout.write(f"\n{_MARK}{json.dumps(facts.to_json())}\n")
