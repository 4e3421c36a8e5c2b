"""Networks by name, and their weights: from files, from libraries, from the hub."""

from workers.models.build import build
from workers.models.plain_weights import with_plain_weights
from workers.models.selection import ChannelSelection
from workers.models.sources import build_with_weights
from workers.models.weights import load_weights

__all__ = ["ChannelSelection", "build", "build_with_weights", "load_weights", "with_plain_weights"]
