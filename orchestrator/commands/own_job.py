"""The Ray job whose entrypoint this process is: a sweep that was stopped on purpose makes it a stopped job.

Ray calls a job failed whose entrypoint has another exit code than 0, and KubeRay then starts a cluster for it again.
A job is stopped only where somebody asks Ray for that, and so does this process itself, at its end.
"""

import json
import logging
import os
import time
from collections.abc import Mapping

_log = logging.getLogger("orchard")
_JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Name of the environment variable in which Ray gives an entrypoint its metadata."""

_PATIENCE_S = 20.0


def own_job(environment: Mapping[str, str] = os.environ) -> str:
    """The submission id of the job whose entrypoint this process is; empty where it is none."""
    try:
        return str(json.loads(environment[_JOB_CONFIG])["metadata"]["job_submission_id"])
    except (KeyError, TypeError, ValueError):
        return ""


def stop_own_job(patience_s: float = _PATIENCE_S) -> None:
    """Ask Ray to stop the job that this process is, and wait for the SIGTERM that ends it.

    Returns where there is no such job, or Ray does not stop it: the exit code then tells.
    """
    job = own_job()
    if not job:
        return
    from ray.job_submission import JobSubmissionClient

    try:
        JobSubmissionClient().stop_job(job)  # the cluster at RAY_ADDRESS, which Ray sets for its jobs
    except (ConnectionError, RuntimeError, ValueError) as error:
        _log.warning("job %s will count as failed: Ray does not stop it (%s)", job, error)
        return
    time.sleep(patience_s)
