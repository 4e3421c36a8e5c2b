"""How a task is computed: the stages and the science behind them (torch). No cluster code."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def load(folder: str | Path) -> "nn.Module":
    """The network of a folder that `orchard export` wrote, whoever's its class is, ready to train on.

    Args:
        folder: The folder.

    Returns:
        The module, in evaluation mode, on the CPU.

    Raises:
        BadInputError: The folder is not such a one, its weights have changed, or the network cannot be built or has
            changed since; it lists the names that differ.
    """
    from workers.export.loading import load_folder

    return load_folder(Path(folder))
