"""Looks around inside a Ray cluster: the one module of `doctor` that imports ray.

A cluster is reached as sweeps reach it: by its dashboard, where a job looks around and prints what it saw, or as a
driver that joins it (RAY_ADDRESS). Run as a module it is that job.
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
from orchestrator.doctor.facts import Cluster, HostFacts, ProbeRequest
from orchestrator.doctor.look import look_around, tracking_problem

_MARK = "orchard-doctor "
_MOST_NODES = 20
_PATIENCE_S = 120.0
_POLL_S = 0.5


class UnreachableError(OrchardError):
    """There is no looking into the cluster; the message is what it said."""


class RefusedError(UnreachableError):
    """The cluster is there and lets nobody in who does not authenticate."""


def look_by_dashboard(address: str, question: ProbeRequest) -> Cluster:
    """Have a job look around.

    Raises:
        RefusedError: It wants a token.
        UnreachableError: No job could be run, or it failed.
    """
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(
            entrypoint=f"python -m {__name__}",
            runtime_env={
                "env_vars": {"ORCHARD_DOCTOR": json.dumps(asdict(question)), "RAY_USAGE_STATS_ENABLED": "0"},
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
    raise UnreachableError(f"the job {job} that should look around ended as {status}: {last}")


def look_as_driver(question: ProbeRequest) -> Cluster:
    """Join the cluster at RAY_ADDRESS and look around.

    Raises:
        RefusedError: It wants a token.
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
        return _look_inside(question)
    finally:
        ray.shutdown()


def upload_sizes(folder: str, excludes: Sequence[str]) -> dict[str, int]:
    """Bytes by path of what Ray would upload of a working directory, ignore files heeded: by Ray's own walk."""
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


def _look_inside(question: ProbeRequest) -> Cluster:
    import ray

    from orchestrator.backends.ray_cluster.nodes import Nodes, node_kinds

    return Cluster(
        auth_mode=os.environ.get("RAY_AUTH_MODE"),
        driver=look_around(replace(question, gpus=False)),
        workers=tuple(_machines(question, [node for node in ray.nodes() if node["Alive"] and _has_slots(node)])),
        startable_gpus=sum(kind.gpus * kind.count for kind in node_kinds(Nodes().alive())),
        tracking_problem=tracking_problem(question.tracking),
    )


def _has_slots(node: Mapping[str, Any]) -> bool:
    return bool(node["Resources"].get("CPU") or node["Resources"].get("GPU"))


def _machines(question: ProbeRequest, nodes: Sequence[Mapping[str, Any]]) -> Iterator[HostFacts]:
    """What is seen from nodes; they look around at the same time, and then tell the time one after the other."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def look() -> HostFacts:
        return look_around(question)

    def tell_time() -> float:
        return time.time()

    asked = []
    for node in nodes[:_MOST_NODES]:
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        options: dict[str, Any] = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": place}
        asked.append((node, ray.remote(**options)(look).remote(), ray.remote(**options)(tell_time)))
    for node, looking, clock in asked:
        try:
            machine = ray.get(looking, timeout=_PATIENCE_S)
            skew_s, error_s = _skew(clock)
        except ray.exceptions.RayError as error:
            yield _silent(node["NodeManagerHostname"], error)
            continue
        gpus = node["Resources"].get("GPU", 0.0)
        yield replace(machine, slot_gpus=gpus, clock_skew_s=skew_s, clock_error_s=error_s)


def _skew(clock: Any) -> tuple[float, float]:
    """By how much a remote clock is ahead of this one, and how wrong that may be, in seconds."""
    import ray

    before_s = time.time()
    there_s = ray.get(clock.remote(), timeout=_PATIENCE_S)
    after_s = time.time()
    return there_s - (before_s + after_s) / 2, (after_s - before_s) / 2


def _silent(name: str, error: BaseException) -> HostFacts:
    return HostFacts(
        name=name, versions={}, storage_problem=f"no answer: {_first_line(error)}", free_bytes=None, gpus=None
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    seen = look_as_driver(ProbeRequest.from_json(json.loads(os.environ["ORCHARD_DOCTOR"])))
    sys.stdout.write(f"\n{_MARK}{json.dumps(seen.to_json())}\n")
