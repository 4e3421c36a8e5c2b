"""The interface of the user's own protocols: what happens to a network between pruning and evaluation.

The built-in protocols are stages (`recalibrate`, `repair`, `train`). The stage `apply` runs these, seeds them and
records their cost.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Never

import torch
from torch import nn

from jobs.errors import BadInputError
from workers.data import Split
from workers.factories import check_arguments, find_declared


def _missing(need: str) -> Callable[[], Never]:
    def refuse() -> Never:
        raise BadInputError(f"a protocol uses an input that it does not declare; add '{need}' to its needs")

    return refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pruned network, and the inputs that a protocol may use.

    Attributes:
        module: The network in evaluation mode, on the device, to be changed in place. Names and shapes of its tensors
            must not change.
        device: Its device.
        generator: Source of randomness, on the CPU.
        poll: To be called before every batch.
        train: The training split (need `images`); without the need `labels` its targets are hidden: classes are -1.
        validation: The validation split, for selection; needs and targets as for `train`.
        dense: The model's own network, in evaluation mode, on the device (need `dense`).
    """

    module: nn.Module
    device: torch.device
    generator: torch.Generator
    poll: Callable[[], None]
    train: Callable[[], Split] = field(default=_missing("images"))
    validation: Callable[[], Split] = field(default=_missing("images"))
    dense: Callable[[], nn.Module] = field(default=_missing("dense"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol: changes a pruned network.

    Attributes:
        change: From a subject and the arguments of the sweep file, as keyword arguments, to the number of images
            that the network was trained on, counted once per use; None or 0 without training.
        needs: Its inputs: `images`, `labels` (and with them images), `dense`.
    """

    change: Callable[..., int | None]
    needs: tuple[str, ...] = ()

    def __call__(self, subject: Subject, **arguments: Any) -> int:
        """Change a network; returns the number of images that it was trained on."""
        return self.change(subject, **arguments) or 0


def protocol(*, needs: Iterable[str] = ()) -> Callable[[Callable[..., int | None]], Protocol]:
    """Declares a function to be a protocol. See `Protocol` for the arguments."""
    return lambda change: Protocol(change=change, needs=tuple(needs))


def find_protocol(name: str, arguments: dict[str, Any]) -> Protocol:
    """The protocol that `package.module:callable` names.

    Args:
        name: Its import path.
        arguments: Its arguments in the sweep file; compared with its signature.

    Raises:
        BadInputError: It is not found, is no protocol, or takes other arguments.
    """
    where = f"protocol '{name}'"
    found = find_declared(name, {}, Protocol, where=where, declare="@workers.protocols.protocol()")
    check_arguments(found.change, arguments, num_positional=1, where=where)
    return found
