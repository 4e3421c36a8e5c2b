"""Model folding: channels that are alike become one, wherever in their group they are.

Independent of stages, training recipes and the cluster.
"""

from workers.fold.clustering import CLUSTERINGS, Clustering, joining_errors
from workers.fold.clusters import Clusters, cluster_channels, incoming_slices

__all__ = ["CLUSTERINGS", "Clustering", "Clusters", "cluster_channels", "incoming_slices", "joining_errors"]
