"""Checks that the driver can log to MLflow."""

from orchestrator.doctor.finding import Finding, ok, warn

NAME = "mlflow"


def judge(uri: str, problem: str, *, on_cluster: bool) -> Finding:
    """Check access to MLflow. A problem is never fatal: the store has the results, and `orchard sync` logs them later.

    Args:
        uri: The sweep's `tracking`.
        problem: Why the driver cannot log; empty where it can.
        on_cluster: Whether the driver runs in a cluster.
    """
    if "403" in problem or "host header" in problem.lower():
        return warn(
            NAME,
            problem,
            "the server rejects this host name: start it with `mlflow server --allowed-hosts HOST:PORT`, host and port "
            "as in `tracking`",
        )
    if problem:
        return warn(NAME, problem, "start the server or correct `tracking`; what is computed meanwhile: `orchard sync`")
    if on_cluster and uri.startswith("sqlite:"):
        return warn(
            NAME,
            f"{uri} is a file on the driver's machine, which is lost when the cluster is taken down",
            "name a server in `tracking`, or log to a file here afterwards: `orchard sync --tracking`",
        )
    return ok(NAME, f"{uri} can be logged to")
