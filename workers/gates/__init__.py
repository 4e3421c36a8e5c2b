"""Gates: what a smaller network has to pass before its results count.

That the sliced network computes what the masked one does, and that its parameters fell as predicted, stage `prune`
finds out where it makes the network. These look at a network as it lies in the store, and know nothing of how it came
about.
"""

from workers.gates.export import check_export
from workers.gates.layers import check_layers
from workers.gates.reload import check_reload

__all__ = ["check_export", "check_layers", "check_reload"]
