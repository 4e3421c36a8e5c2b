"""The files of artifacts by name, and how the artifacts that a task was promised are read."""

import json
from typing import Any

from jobs.artifact import CorruptArtifactError, Manifest, MissingArtifactError, Store

RECIPE_FILE = "network.json"
"""How a network is rebuilt."""

WEIGHTS_FILE = "weights.safetensors"
"""Every tensor of a network's state, in whatever sizes pruning left it."""

BEST_FILE = "best.safetensors"
"""Where a network was trained: its tensors after the epoch that was best on the validation split."""

MASKS_FILE = "masks.safetensors"
"""Where single weights were removed: name of a parameter -> which of its weights are there."""

CHANNELS_FILE = "channels.json"
"""The channel groups of a network."""

ORDERS_FILE = "orders.json"
"""Group name -> `orders` of its channels, the shortest first, and their `lengths`."""

POOLS_FILE = "pools.json"
"""The same of a permuted network, of the channels as they are permuted; where there will be a choice."""

OBSERVATION_FILE = "observation.safetensors"
"""`statistic:group` -> its value for each unit of the group."""

SCORES_FILE = "scores.safetensors"
"""Group name -> the importance of each of its channels."""

LOSSES_FILE = "losses.json"
"""Group name -> channels that stay -> by how much the loss grows."""

PROFILE_FILE = "profile.json"
"""Times of a network's layers, and the machine that they were measured on."""

PARTITION_FILE = "partition.safetensors"
"""Group name -> widths of its cells; and, with `BIAS_PREFIX`, name of a tensor -> tuned bias."""

BIAS_PREFIX = "bias:"

KEPT_FILE = "kept.safetensors"
"""Group name -> numbers of the channels that were kept, rising; where channels were removed."""


class ArtifactReader:
    """Reads the artifacts that a task was promised.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, key: str, name: str) -> bytes:
        """A file of an artifact.

        Raises:
            CorruptArtifactError: It is damaged, or the artifact is gone: it has to be made again.
            MissingArtifactError: The artifact is there and has no such file.
        """
        try:
            return self._store.read(key, name)
        except MissingArtifactError:
            if self._store.has(key):
                raise
            raise self._gone(key) from None

    def read_json(self, key: str, name: str) -> Any:
        """The same, parsed; what it holds is known to who wrote it."""
        return json.loads(self.read(key, name))

    def manifest(self, key: str) -> Manifest:
        """The manifest of an artifact.

        Raises:
            CorruptArtifactError: It is damaged or gone: the artifact has to be made again.
        """
        try:
            return self._store.manifest(key)
        except MissingArtifactError:
            raise self._gone(key) from None

    def _gone(self, key: str) -> CorruptArtifactError:
        return CorruptArtifactError(f"{self._store.uri}: artifact {key}, which this task reads, is gone", key=key)
