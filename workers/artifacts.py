"""The file names of artifacts, and reading the input artifacts of a task."""

import json
from typing import Any

from jobs.artifact import CorruptArtifactError, Manifest, MissingArtifactError, Store

RECIPE_FILE = "network.json"
"""The recipe that a network is rebuilt from."""

WEIGHTS_FILE = "weights.safetensors"
"""Every tensor of a network's state, in whatever sizes pruning left it."""

BEST_FILE = "best.safetensors"
"""Tensors after the best epoch on the validation split; of trained networks."""

AVERAGE_FILE = "ema.safetensors"
"""The moving average of its tensors in training; of networks that were trained with one."""

PAUSED_FILE = "training.safetensors"
"""The progress of a training that pauses, to go on from."""

MASKS_FILE = "masks.safetensors"
"""Name of a parameter -> mask of its weights; of networks that lost single weights."""

CHANNELS_FILE = "channels.json"
"""The channel groups of a network."""

MOMENTS_FILE = "moments.safetensors"
"""Mean and variance of the outputs of layers whose batch norms were folded, in the order of the network's channels."""

ORDERS_FILE = "orders.json"
"""Group name -> `orders` of its channels, the shortest first, and their `lengths`."""

POOLS_FILE = "pools.json"
"""The same for the permuted channels of a network; written where a `choose` stage follows."""

OBSERVATION_FILE = "observation.safetensors"
"""`statistic:group` -> its value for each unit of the group."""

SCORES_FILE = "scores.safetensors"
"""Group name -> the importance of each of its channels."""

LOSSES_FILE = "losses.json"
"""Group name -> channels that stay -> growth of the loss."""

PROFILE_FILE = "profile.json"
"""Times of a network's layers, and the machine that they were measured on."""

PARTITION_FILE = "partition.safetensors"
"""Group name -> widths of its cells; and, with `BIAS_PREFIX`, name of a tensor -> tuned bias."""

BIAS_PREFIX = "bias:"

KEPT_FILE = "kept.safetensors"
"""Group name -> indices of the channels that were kept, ascending; of networks that lost channels."""

MIXTURE_FILE = "mixture.safetensors"
"""`rows:group`, `columns:group`, `values:group` -> the entries of the matrix from a group's channels to the fewer ones
that they were mixed into; of networks whose channels were resampled or folded."""

GRAPH_FILE = "model.onnx"
"""A network as an ONNX graph, its weights inside."""

QUANTIZED_FILE = "model.int8.onnx"
"""The same with weights and activations of 8 bits."""

TIMES_FILE = "times.json"
"""Times of all forward passes, by runtime and batch size, and the machine that they were measured on."""


class ArtifactReader:
    """Reads the input artifacts of a task.

    Args:
        store: The store that holds them.
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
        """The same, parsed; the caller knows its type."""
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
