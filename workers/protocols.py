"""Protocols of the user's own: what is done with a network after it was made smaller, before it is evaluated.

Those of ours are stages (`recalibrate`, `repair`, `train`). Knows no store, no seed and no cost: the stage `apply`
brings and counts these.
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
        raise BadInputError(f"a protocol asks for what it does not declare to need; add '{need}' to its needs")

    return refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network after it was made smaller, and what a protocol may look at.

    Attributes:
        module: In evaluation mode, on the device: to be changed in place. Names and shapes of its tensors have to stay.
        device: Where it is.
        generator: Where randomness is drawn, on the CPU.
        poll: To be called before every batch.
        train: The training split (need `images`); without the need `labels` its targets say nothing: classes are -1.
        validation: The validation split, for choices: needs and labels alike.
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
    """Changes a network that was made smaller.

    Attributes:
        change: From a subject and the arguments of the sweep file, as keyword arguments, to how many images the network
            was trained on, each as often as it was; None or 0 where gradients changed nothing.
        needs: What it looks at: `images`, `labels` (and with them images), `dense`.
    """

    change: Callable[..., int | None]
    needs: tuple[str, ...] = ()

    def __call__(self, subject: Subject, **arguments: Any) -> int:
        """Change a network; how many images it was trained on."""
        return self.change(subject, **arguments) or 0


def protocol(*, needs: Iterable[str] = ()) -> Callable[[Callable[..., int | None]], Protocol]:
    """Declares a function to be a protocol. See `Protocol` for the arguments."""
    return lambda change: Protocol(change=change, needs=tuple(needs))


def find_protocol(name: str, arguments: dict[str, Any]) -> Protocol:
    """The protocol that `package.module:callable` names.

    Args:
        name: Its import path.
        arguments: What it will be given; compared with what it takes.

    Raises:
        BadInputError: It is not found, is no protocol, or takes other arguments.
    """
    where = f"protocol '{name}'"
    found = find_declared(name, {}, Protocol, where=where, declare="@workers.protocols.protocol()")
    check_arguments(found.change, arguments, num_positional=1, where=where)
    return found
