"""Gates: checks that a pruned network has to pass before its results count.

These check a network as it is stored. Stage `prune` itself checks that the sliced network equals the masked one, and
that the number of parameters fell as predicted.
"""

from workers.gates.export import check_export
from workers.gates.layers import check_layers
from workers.gates.reload import check_reload

__all__ = ["check_export", "check_layers", "check_reload"]
