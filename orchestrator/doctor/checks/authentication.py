"""Checks that this machine and the cluster use the same Ray authentication, and some where others can come."""

from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME, REACH = "authentication", "open ports"

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


def judge_reach(there: str | None, gcs_address: str) -> Finding:
    """Check that who can reach the cluster has to have its token.

    Args:
        there: The cluster's RAY_AUTH_MODE; without one, Ray's heads let everybody in.
        gcs_address: `host:port` at which its head takes orders.
    """
    host = gcs_address.rpartition(":")[0].strip("[]")
    if there == "token":
        return ok(REACH, f"{gcs_address} wants the token")
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return ok(REACH, f"{gcs_address} is for this machine alone")
    return warn(
        REACH,
        f"authentication is disabled, and {gcs_address} is open to other machines: whoever reaches it can run programs",
        "give it a token: `ray get-auth-token --generate` once, and RAY_AUTH_MODE=token wherever `ray start` runs and "
        "here; or close its ports to others by a firewall",
    )
