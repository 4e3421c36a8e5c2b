"""Networks by name, and loading of their weights from files."""

from workers.models.build import build
from workers.models.plain_weights import with_plain_weights
from workers.models.selection import ChannelSelection
from workers.models.weights import load_weights

__all__ = ["ChannelSelection", "build", "load_weights", "with_plain_weights"]
