"""Published results that the committed ones are held against, test accuracies in %.

*INN*: Solodskikh et al., Integral Neural Networks, CVPR 2023. *Rethinking*: Liu et al., ICLR 2019 (arXiv:1810.05270).
"""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {"nin": "NIN", "vgg11": "VGG-11", "resnet18": "ResNet-18"}
"""Model in our sweeps -> its name in the paper."""

TABLE1: Mapping[str, Mapping[str, float]] = {
    "nin": {"dense": 92.3, "integral-scratch": 91.8, "integral-converted": 92.5},
    "vgg11": {"dense": 91.1, "integral-scratch": 89.4, "integral-converted": 91.6},
    "resnet18": {"dense": 95.3, "integral-scratch": 93.1, "integral-converted": 95.3},
}
"""INN, Table 1: the discrete network, an integral one from scratch, one converted from the discrete one."""

TABLE2: Mapping[str, Mapping[str, float]] = {
    "nin": {"tuned": 89.4, "tuned-unpermuted": 84.71},
    "vgg11": {"tuned": 88.7, "tuned-unpermuted": 85.2},
    "resnet18": {"tuned": 93.0, "tuned-unpermuted": 91.3},
}
"""INN, Table 2: partition tuning at 40 %, with and without permutation."""

FIGURE1: Mapping[str, Mapping[str, Mapping[int, float]]] = {
    "resnet18": {
        "integral-tuned": {0: 95.3, 9: 95.0, 18: 94.8, 27: 94.0, 39: 93.0},
        "integral": {39: 91.8},
        "mean-std": {39: 64.0},
        "l1": {39: 61.0},
    },
    "nin": {
        "integral-tuned": {0: 92.5, 13: 91.0, 26: 90.8, 37: 89.5, 48: 88.3},
        "integral": {48: 82.0},
        "l1": {48: 50.0},
    },
}
"""INN, Figure 1 a and b, read off the plot to half a point: model -> method -> removed parameters in % -> accuracy."""

RETHINKING: Mapping[str, float] = {"dense": 93.63, "fine-tune": 93.41, "scratch-e": 93.62, "scratch-b": 93.78}
"""Rethinking, L1-norm pruning on CIFAR-10, VGG-16-A: the dense network, and the pruned one by protocol."""
