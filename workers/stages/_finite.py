"""Checks tensors for NaN and infinity before a stage returns them."""

from collections.abc import Mapping

from torch import Tensor

from jobs.errors import BadNumericsError


def check_finite(tensors: Mapping[str, Tensor], *, what: str, advice: str) -> None:
    """Refuse tensors that are not finite.

    Args:
        tensors: Tensors by name.
        what: What they are, for the message: `scores of`.
        advice: What to do about it, for the message.

    Raises:
        BadNumericsError: One of them has NaN or infinity.
    """
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise BadNumericsError(f"{what} {', '.join(broken)} are not finite; {advice}")
