"""Named training settings: those of the papers, and short modern ones. Values in a sweep file override them."""

from collections.abc import Mapping

from jobs.identity import Json

_CIFAR: Mapping[str, Json] = {"batch_size": 64, "momentum": 0.9, "weight_decay": 1e-4, "augment": "crop-flip"}
_IMAGENET: Mapping[str, Json] = {**_CIFAR, "batch_size": 256, "augment": "resized-crop-flip"}
_STEPS: Mapping[str, Json] = {"learning_rate": 0.1, "schedule": "step"}
_FINE_TUNING: Mapping[str, Json] = {"learning_rate": 1e-3, "schedule": "constant"}
_SHORT: Mapping[str, Json] = {
    "schedule": "cosine",
    "warmup_epochs": 2,
    "nesterov": True,
    "label_smoothing": 0.1,
}

SETTINGS: Mapping[str, Mapping[str, Json]] = {
    "cifar_rethinking": {**_CIFAR, **_STEPS, "epochs": 160, "milestones": [0.5, 0.75]},
    "imagenet_rethinking": {**_IMAGENET, **_STEPS, "epochs": 90, "milestones": [1 / 3, 2 / 3]},
    "cifar_fine_tune": {**_CIFAR, **_FINE_TUNING, "epochs": 40},
    "imagenet_fine_tune": {**_IMAGENET, **_FINE_TUNING, "epochs": 20},
    "cifar_short": {**_CIFAR, **_SHORT, "epochs": 30, "batch_size": 128, "learning_rate": 0.1, "weight_decay": 5e-4},
    "imagenet_short": {**_IMAGENET, **_SHORT, "epochs": 18, "learning_rate": 0.2, "weight_decay": 5e-5},
}
"""`*_rethinking` and `*_fine_tune`: Liu et al. 2019 (arXiv:1810.05270, section 5). The short ones are ours."""
