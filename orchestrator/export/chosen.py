"""Reads the network behind a point from the store, with what is known of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jobs.artifact import CorruptArtifactError, MissingArtifactError
from jobs.errors import BadInputError, OrchardError
from jobs.libraries import is_own
from jobs.sources import read_modules
from jobs.stages.table import StageKind
from orchestrator.results import Point, SweepRecord
from orchestrator.results.lineage import source_network
from orchestrator.results.selection import Candidate, SelectedNetwork, dense_of
from orchestrator.store import ArtifactStore
from workers.artifacts import WEIGHTS_FILE, ArtifactReader
from workers.export.structure import Shapes, Structure, rebuild_compared, shapes_of
from workers.network import NetworkRecipe, StoredNetwork, state_bytes
from workers.sparsity import masked


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenNetwork:
    """A network of a sweep, read from its store.

    Attributes:
        record: The sweep.
        selected: Which of its networks it is.
        dense: The dense network of its model; None where it was not measured.
        key: The task that made it.
        recipe: The recipe of its module.
        module: The module, on the CPU, in evaluation mode.
        structure: In what it differs from the network as its factory builds it.
        weights: Its tensors as a safetensors file; removed single weights are zeros.
        masks: Name of a parameter that lost single weights -> True for those that are kept.
        timed_on: The processor that its times are from, as manifests describe one; empty where it was not timed.
        source_changed: Whether the module of the user's own class has another content than when the sweep ran.
    """

    record: SweepRecord
    selected: SelectedNetwork
    dense: Candidate | None
    key: str
    recipe: NetworkRecipe
    module: nn.Module
    structure: Structure
    weights: bytes
    masks: dict[str, Tensor]
    timed_on: Mapping[str, str]
    source_changed: bool


def read_network(
    record: SweepRecord, store: ArtifactStore, every: Sequence[Candidate], selected: SelectedNetwork
) -> ChosenNetwork:
    """Read a chosen network.

    Args:
        record: The sweep.
        store: The sweep's store.
        every: All its measured networks.
        selected: The chosen one.

    Raises:
        OrchardError: Its artifact is damaged or gone; the next run of the sweep computes it again.
        BadInputError: The network cannot be built, or its class has changed since the sweep ran.
    """
    with repairable(record, store):
        key = store.manifest(selected.point.key).inputs["network"]
        stored = StoredNetwork(ArtifactReader(store), key)
        masks = dict(stored.masks)
        state = masked(stored.state, masks)
        module, structure = rebuild_compared(stored.recipe, state, _original_shapes(store, stored))
        zeroed = all(torch.equal(state[name], stored.state[name]) for name in masks)
        weights = stored.read(WEIGHTS_FILE) if zeroed else state_bytes(state)
    return ChosenNetwork(
        record=record,
        selected=selected,
        dense=dense_of(every, selected.candidate),
        key=key,
        recipe=stored.recipe,
        module=module,
        structure=structure,
        weights=weights,
        masks=masks,
        timed_on=_timed_on(store, selected.point),
        source_changed=_source_changed(record, stored.recipe.network),
    )


@contextmanager
def repairable(record: SweepRecord, store: ArtifactStore) -> Iterator[None]:
    """Where something in the block turns out to be damaged, it is moved away, so that a run makes it again.

    Raises:
        OrchardError: It was damaged or gone; it says what to do.
    """
    try:
        yield
    except CorruptArtifactError as error:
        store.quarantine(error.key)
        raise OrchardError(f"{error}; `orchard run` of the sweep {record.name} computes it again") from error


def _original_shapes(store: ArtifactStore, network: StoredNetwork) -> Shapes | None:
    """The shapes of the network that it was made from, before anything was removed.

    None where that cannot be read, or where it began as part of another network, which may have been pruned before.
    """
    try:
        while (source := source_network(network.manifest)) is not None:
            earlier = StoredNetwork(ArtifactReader(store), source)
            if earlier.recipe.network != network.recipe.network:
                return None
            network = earlier
        return shapes_of(network.state)
    except (CorruptArtifactError, MissingArtifactError):
        return None


def _timed_on(store: ArtifactStore, point: Point) -> Mapping[str, str]:
    manifests, _ = store.manifests(each.key for each in point.further if each.stage == StageKind.TIME.value)
    return next((manifest.processor for manifest in manifests.values()), {})


def _source_changed(record: SweepRecord, network: str) -> bool:
    known = record.environment.get("modules", {}).get(network)
    if known is None or not is_own(network):
        return False
    try:
        return bool(read_modules(network) != known)
    except BadInputError:  # made in this process, not read from a file
        return False
