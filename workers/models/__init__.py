"""From a network's name to a module, and from a file to its weights.

Knows architectures and file formats; knows nothing of data, of training or of what is pruned later.
"""

from workers.models.build import build
from workers.models.selection import ChannelSelection
from workers.models.weights import load_weights

__all__ = ["ChannelSelection", "build", "load_weights"]
