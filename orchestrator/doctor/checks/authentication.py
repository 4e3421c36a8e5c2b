"""Checks that this machine and the cluster use the same Ray authentication."""

from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "authentication"

_SAME = "export RAY_AUTH_MODE, the same on head, workers and clients: `token`, or `disabled` on a closed network"
_TOKEN = (
    "export RAY_AUTH_MODE=token here, and give the cluster's token: RAY_AUTH_TOKEN, or ~/.ray/auth_token as the head "
    "has it (`ray get-auth-token` there)"
)


def judge(here: str | None, there: str | None) -> Finding:
    """Compare the authentication modes.

    Args:
        here: RAY_AUTH_MODE of this process; None where it is not set.
        there: The cluster's.
    """
    if here is None or here != there:
        return warn(NAME, f"RAY_AUTH_MODE is {here or 'not set'} here and {there or 'not set'} in the cluster", _SAME)
    return ok(NAME, f"RAY_AUTH_MODE is {here}, as in the cluster")


def judge_alone(here: str | None) -> Finding:
    """Check this process alone, without a cluster to compare with."""
    if here is None:
        return warn(NAME, "RAY_AUTH_MODE is not set here: Ray uses a token if it finds a token file", _SAME)
    return ok(NAME, f"RAY_AUTH_MODE is {here}")


def refused(here: str | None, said: str) -> Finding:
    """The finding for a cluster that refused the connection."""
    return fail(NAME, f"the cluster refuses (RAY_AUTH_MODE here: {here or 'not set'}): {said}", _TOKEN)
