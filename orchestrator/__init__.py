"""Plans sweeps, schedules their tasks, keeps the results and reports them; the `orchard` command."""

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api import load_results, load_sweep, run_sweep

if TYPE_CHECKING:
    from torch import nn

    from orchestrator.store import ArtifactStore

__all__ = ["load_network", "load_results", "load_sweep", "run_sweep"]


def load_network(
    store: "str | Path | ArtifactStore",
    sweep: str,
    *,
    model: str | None = None,
    method: str | None = None,
    protocol: str | None = None,
    compression: float | None = None,
    seed: int | None = None,
) -> "nn.Module":
    """A network of a sweep, ready to train on: the only one that is like that.

    Args:
        store: The sweep's store, or its URI.
        sweep: The sweep's name, or its file.
        model: Its model.
        method: Its method.
        protocol: Its protocol; `none` for a network without one.
        compression: Its target compression, in [0, 1).
        seed: Its seed; default: a typical one, whose metric is nearest to the mean.

    Returns:
        The module, in evaluation mode, on the CPU.

    Raises:
        BadInputError: No network is like that, several are, or its class has changed since the sweep ran.
        OrchardError: Its artifact is damaged.
    """
    from orchestrator.commands.selecting import Selection, find_network
    from orchestrator.export import read_network
    from orchestrator.results.selection import Requirements

    wanted = Requirements(model=model, method=method, protocol=protocol, compression=compression)
    uri = str(store) if isinstance(store, str | Path) else store.uri
    found = find_network(sweep, uri, Selection(wanted=wanted, seed=seed, best=False, by=None))
    return read_network(found.record, found.store, found.every, found.selected).module
