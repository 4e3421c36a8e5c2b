"""`orchard submit`: submits a sweep as a Ray job."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.errors import BadInputError, StoppedError
from jobs.load import load_sweep
from jobs.secrets import mask
from jobs.spec.sweep import SweepSpec
from orchestrator.doctor.checks import upload
from orchestrator.doctor.finding import Verdict
from orchestrator.doctor.uploading import EXCLUDES, look_at_upload, on_every_machine
from orchestrator.environment import git_commit
from orchestrator.executables import typed

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient


def submit(sweep: str, overrides: Sequence[str], *, address: str, working_dir: str, wait: bool) -> int:
    """Submit a sweep; returns the exit code: the job's with `wait`, else 0.

    Raises:
        BadInputError: An override holds a secret, the sweep is not below the working directory, the job would not have
            what the sweep names, or no cluster answers.
    """
    spec = load_sweep(sweep, overrides)
    if any(mask(override) != override for override in overrides):
        raise BadInputError(
            "an override holds a password or token, and Ray shows the command of a job to everyone; write ${VARIABLE} "
            "for it, and set that variable on the head of the cluster"
        )
    root, file = Path(working_dir).resolve(), Path(sweep).resolve()
    if not file.is_relative_to(root):
        raise BadInputError(f"{sweep}: is not below the working directory {root}, which is all that is uploaded")
    _check_upload(working_dir, sweep, overrides)
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(
            entrypoint=shlex.join(["orchard", "run", str(file.relative_to(root)), *overrides]),
            submission_id=_submission_id(spec, [str(known.submission_id) for known in client.list_jobs()]),
            runtime_env={
                "working_dir": str(root),
                "excludes": list(EXCLUDES),
                "env_vars": {"RAY_USAGE_STATS_ENABLED": "0", "MLFLOW_DISABLE_TELEMETRY": "true"},
            },
            metadata={"orchard_sweep": spec.name, "git_commit": git_commit()},
        )
    except AuthenticationError as error:
        raise BadInputError(
            f"{address}: refuses you ({error}); set RAY_AUTH_MODE as on the head, and the token if it is `token`"
        ) from error
    except (ConnectionError, RuntimeError) as error:
        raise BadInputError(f"{address}: {error}; is this the address of a Ray dashboard?") from error
    click.echo(f"submitted {job} to {address}")
    if not wait:
        click.echo(f"its output: ray job logs --follow --address {address} {job}")
        click.echo(f"its progress: {typed('orchard')} status {spec.name} --storage {spec.storage} --watch")
        return 0
    return _follow(client, job)


def _check_upload(working_dir: str, sweep: str, overrides: Sequence[str]) -> None:
    """Raise BadInputError where the job would not have what the sweep names; say what it has to find there."""
    sent = look_at_upload(working_dir, sweep, overrides)
    failed = [finding for finding in upload.judge(sent) if finding.verdict is Verdict.FAIL]
    if failed:
        told = [f"{finding.found}; {finding.remedy}" for finding in failed]
        raise BadInputError("\n  ".join(["the job would fail:", *told]))
    if local := on_every_machine(sweep, overrides, as_job=True):
        click.echo(
            f"every machine of the cluster has to have {', '.join(local)}; whether they have: orchard doctor {sweep} "
            "--address ADDRESS",
            err=True,
        )


def _submission_id(spec: SweepSpec, taken: Sequence[str]) -> str:
    """`<sweep>-a<n>` with the first free n: Ray refuses an id that was used before."""
    attempt = 1
    while f"{spec.name}-a{attempt}" in taken:
        attempt += 1
    return f"{spec.name}-a{attempt}"


def _follow(client: "JobSubmissionClient", job: str) -> int:
    from ray.job_submission import JobStatus

    shown = 0
    while True:
        status = client.get_job_status(job)
        logs = client.get_job_logs(job)
        click.echo(logs[shown:], nl=False)
        shown = len(logs)
        if status.is_terminal():
            code = client.get_job_info(job).driver_exit_code
            click.echo(f"job {job}: {status.value.lower()}")
            if status == JobStatus.STOPPED:
                return StoppedError.exit_code
            return 0 if status == JobStatus.SUCCEEDED else code or 1
        time.sleep(1)
