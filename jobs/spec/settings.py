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

_SUPER_RESOLUTION: Mapping[str, Json] = {
    "optimizer": "adam",
    "batch_size": 16,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "augment": "flip-turn",
}
_SEGMENTATION: Mapping[str, Json] = {
    "batch_size": 16,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "poly",
    "augment": "scale-crop-flip",
}
_DETECTION: Mapping[str, Json] = {"batch_size": 8, "momentum": 0.9, "weight_decay": 1e-4, "augment": "flip"}

SETTINGS: Mapping[str, Mapping[str, Json]] = {
    "cifar_rethinking": {**_CIFAR, **_STEPS, "epochs": 160, "milestones": [0.5, 0.75]},
    "imagenet_rethinking": {**_IMAGENET, **_STEPS, "epochs": 90, "milestones": [1 / 3, 2 / 3]},
    "fine_tune": {"batch_size": 64, "momentum": 0.9, "weight_decay": 1e-4, **_FINE_TUNING, "epochs": 40},
    "cifar_fine_tune": {**_CIFAR, **_FINE_TUNING, "epochs": 40},
    "imagenet_fine_tune": {**_IMAGENET, **_FINE_TUNING, "epochs": 20},
    "cifar_short": {**_CIFAR, **_SHORT, "epochs": 30, "batch_size": 128, "learning_rate": 0.1, "weight_decay": 5e-4},
    "imagenet_short": {**_IMAGENET, **_SHORT, "epochs": 18, "learning_rate": 0.2, "weight_decay": 5e-5},
    "super_resolution": {**_SUPER_RESOLUTION, "epochs": 300, "learning_rate": 1e-4},
    "super_resolution_fine_tune": {**_SUPER_RESOLUTION, "epochs": 30, "learning_rate": 2e-5},
    "segmentation": {**_SEGMENTATION, "epochs": 50, "learning_rate": 0.02},
    "segmentation_fine_tune": {**_SEGMENTATION, "epochs": 10, "learning_rate": 2e-3},
    "detection": {**_DETECTION, "epochs": 12, "learning_rate": 0.01, "milestones": [2 / 3, 11 / 12]},
    "detection_fine_tune": {**_DETECTION, "epochs": 4, "learning_rate": 1e-3, "schedule": "constant"},
}
"""`*_rethinking`, `cifar_fine_tune` (`fine_tune` without its augmentation) and `imagenet_fine_tune`: Liu et al. 2019
(arXiv:1810.05270, section 5); batch size and rate of `super_resolution`: Lim et al. 2017 (arXiv:1707.02921, section
4.2); the schedule of `segmentation`: Chen et al. 2017 (arXiv:1706.05587, section 4.1); steps of `detection`:
torchvision's reference training (12 of its 26 epochs). The rest is ours."""

OBJECTIVE_SETTINGS: Mapping[str, tuple[str, str]] = {
    "super-resolution": ("super_resolution", "super_resolution_fine_tune"),
    "segmentation": ("segmentation", "segmentation_fine_tune"),
    "detection": ("detection", "detection_fine_tune"),
}
"""Objective -> the settings that training and fine-tuning have where a sweep file names none."""
