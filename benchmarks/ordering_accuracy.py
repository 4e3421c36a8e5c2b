"""What the order of the channels is worth: accuracy after uniform resampling, for each ordering and each distance.

Trained networks, batch norms folded, every group's channels in the order, every width and every cell uniform, no data and
no training: so what differs is the order alone. Figures are test accuracies in %, means over the seeds, by network,
ordering and compression, such as `resnet56.tsp-l1.30`, and spreads over the seeds as `...std`. The trained networks are
not part of the project: say where the files and the data are; the `quickstart` network is trained here, on digits.
--quick takes a minute on two cores.

    python -m benchmarks.ordering_accuracy --data DIR --weights DIR [--quick] [--networks NAME ...]
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import mean, stdev

import torch
from torch import Tensor, nn

from benchmarks.integral_accuracy import NETWORKS
from workers.allocation import ALLOCATIONS
from workers.channels import ChannelMap, find_groups, fold_model, load_resized, select
from workers.data import Split, load_dataset
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample
from workers.integral.slices import group_slices
from workers.measure import evaluate
from workers.models import build, load_weights
from workers.ordering import order_channels

Settings = dict[str, str]
TSP: dict[str, Settings] = {
    f"tsp-{metric}{'-tensor' * (normalize == 'tensor')}": {"method": "tsp", "metric": metric, "normalize": normalize}
    for metric, normalize in product(("l1", "l2", "cosine"), ("none", "tensor"))
}
ORDERINGS = {name: {"method": name} for name in ("identity", "random", "norm", "spectral")} | TSP
DRAWN = {"random", *TSP}
"""The orderings that a seed changes."""
