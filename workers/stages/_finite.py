"""The check that every stage makes of tensors before it hands them on."""

from collections.abc import Mapping

from torch import Tensor

from jobs.errors import BadNumericsError


def check_finite(tensors: Mapping[str, Tensor], *, what: str, advice: str) -> None:
    """Refuse tensors that are of no use.

    Args:
        tensors: By name.
        what: They are, for the message: `scores of`.
        advice: What to do about it.

    Raises:
        BadNumericsError: One of them has NaN or infinity.
    """
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise BadNumericsError(f"{what} {', '.join(broken)} are not finite; {advice}")
