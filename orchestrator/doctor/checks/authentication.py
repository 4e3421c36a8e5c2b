"""Do this machine and the cluster agree on how Ray authenticates?"""

from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "authentication"

_SAME = "export RAY_AUTH_MODE, the same on head, workers and clients: `token`, or `disabled` on a closed network"
_TOKEN = (
    "export RAY_AUTH_MODE=token here, and give the cluster's token: RAY_AUTH_TOKEN, or ~/.ray/auth_token as the head "
    "has it (`ray get-auth-token` there)"
)
_REFUSALS = ("401", "403", "unauthenticated", "unauthorized", "authentication", "auth token")


def means_refused(problem: str) -> bool:
    """Whether a failed call to a cluster failed for its authentication."""
    return any(sign in problem.lower() for sign in _REFUSALS)


def judge(here: str | None, there: str | None, *, refusal: str = "", reached: bool = True) -> Finding:
    """Judge.

    Args:
        here: RAY_AUTH_MODE of this process; None where it is not set.
        there: The cluster's, if it was reached.
        refusal: What the cluster said where it let nobody in.
        reached: Whether there is a cluster to compare with.
    """
    if refusal:
        return fail(NAME, f"the cluster refused (RAY_AUTH_MODE here: {here or 'not set'}): {refusal}", _TOKEN)
    if here is None:
        return warn(NAME, "RAY_AUTH_MODE is not set here: Ray decides by whether it finds a token file", _SAME)
    if reached and there != here:
        return warn(NAME, f"RAY_AUTH_MODE is {here} here and {there or 'not set'} in the cluster", _SAME)
    return ok(NAME, f"RAY_AUTH_MODE is {here}" + (", as in the cluster" if reached else ""))
