"""Sets train and eval flags temporarily."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put every module of `model` into one mode and restore each flag at the end, also on errors.

    Args:
        model: Its flags may differ from module to module, as with a frozen batch norm.
        training: True for training mode, False for evaluation mode.
    """
    found = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, flag in found:
            module.training = flag
