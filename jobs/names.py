"""The names that a sweep file may use, listed here so that validation imports neither torch nor the registries.

A test compares each list with the registry that it mirrors.
"""

from collections.abc import Mapping

NETWORKS = (
    "bicubic",
    "cifar_resnet",
    "cifar_resnet18",
    "cifar_resnet20",
    "cifar_resnet50",
    "cifar_resnet56",
    "cifar_resnet110",
    "cifar_vgg11",
    "cifar_vgg11_bn",
    "cifar_vgg16_bn",
    "cifar_vgg19_bn",
    "densenet",
    "densenet40",
    "edsr",
    "edsr_baseline",
    "faster_rcnn",
    "faster_rcnn_fpn",
    "nin",
    "plain",
    "preresnet",
    "preresnet164",
    "resnet",
    "srcnn",
    "unet",
)
"""Networks of our zoo (`workers.models`)."""

OBJECTIVES = ("classification", "super-resolution", "segmentation", "detection")
"""Modules of `workers.objectives`, with dashes for underscores."""

AUGMENTATIONS: Mapping[str, tuple[str, ...]] = {
    "classification": ("crop-flip", "flip", "resized-crop-flip"),
    "super-resolution": ("flip-turn",),
    "segmentation": ("flip", "scale-crop-flip"),
    "detection": ("flip",),
}
"""The augmentations of each objective, besides `none`; classification takes transforms (`jobs.spec.augment`), too."""

DATASETS: Mapping[str, str] = {
    "cifar10": "classification",
    "cifar100": "classification",
    "coco-detection": "detection",
    "digits": "classification",
    "div2k": "super-resolution",
    "fashion-mnist": "classification",
    "huggingface": "classification",
    "imagefolder": "classification",
    "mnist": "classification",
    "sr-folders": "super-resolution",
    "voc-detection": "detection",
    "voc-segmentation": "segmentation",
    "webdataset": "classification",
}
"""Data sets of `workers.data`: name -> the objective that its targets are for."""

DATASETS_WITHOUT_ROOT = ("digits",)
"""Data sets that ship with a dependency and need no folder."""

CRITERIA: Mapping[str, str | None] = {
    "absolute-loss-change": "removals",
    "apoz": "activations",
    "batchnorm-scale": None,
    "chip": "independence",
    "fisher": "gradients",
    "fpgm": None,
    "hrank": "ranks",
    "l1": None,
    "l2": None,
    "lamp": None,
    "loss-change": "removals",
    "mean-absolute-activation": "activations",
    "mean-l1": "activations",
    "mean-l2": "activations",
    "mean-mean": "activations",
    "mean-std": "activations",
    "obd": "curvature",
    "random": None,
    "snip": "gradients",
    "synflow": None,
    "taylor": "gradients",
    "unit-norm": None,
    "var-l2": "activations",
}
"""Criteria of `workers.criteria`, each with the observation that it reads; None: weights only."""

CRITERIA_THAT_DRAW = ("random",)
"""Criteria whose scores depend on the seed."""

CLUSTERINGS_THAT_DRAW = ("kmeans",)
"""Clusterings of `workers.fold` that depend on the seed."""

OBSERVATIONS: Mapping[str, int | None] = {
    "activations": None,
    "curvature": 256,
    "gradients": 1024,
    "independence": 32,
    "ranks": 512,
    "removals": 64,
}
"""Observations of `workers.observations`, each with its default number of calibration images; None: all."""

OBSERVATION_NEEDS: Mapping[str, str] = {
    "activations": "images",
    "curvature": "labels",
    "gradients": "labels",
    "independence": "images",
    "ranks": "images",
    "removals": "labels",
}
"""What each of them needs: images alone, or their labels, too."""

DRAWN_ORDERINGS = ("tsp", "random")
"""Orderings of `workers.ordering` that depend on the seed."""

ALLOCATIONS: Mapping[str, tuple[str, ...]] = {
    "best-score": ("scores",),
    "global": ("scores",),
    "guided": ("designs",),
    "isomorphic": ("scores",),
    "least-error": ("weights",),
    "predefined": (),
    "sensitivity": ("losses",),
    "spectrum": ("spectra",),
    "template": (),
    "uniform": (),
}
"""Allocations of `workers.allocation`, each with the inputs that it always needs."""

CONFIGURATIONS: Mapping[str, float] = {
    "resnet110-a": 0.02,
    "resnet110-b": 0.32,
    "resnet34-a": 0.08,
    "resnet34-b": 0.11,
    "resnet56-a": 0.09,
    "resnet56-b": 0.14,
    "vgg16-a": 0.64,
}
"""The papers' predefined widths in `workers.allocation`, each with its compression, rounded."""

TORCHVISION_PREFIX = "torchvision:"

TORCHVISION_NETWORKS = frozenset(
    [
        "alexnet",
        "convnext_base",
        "convnext_large",
        "convnext_small",
        "convnext_tiny",
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet201",
        "efficientnet_b0",
        "efficientnet_b1",
        "efficientnet_b2",
        "efficientnet_b3",
        "efficientnet_b4",
        "efficientnet_b5",
        "efficientnet_b6",
        "efficientnet_b7",
        "efficientnet_v2_l",
        "efficientnet_v2_m",
        "efficientnet_v2_s",
        "googlenet",
        "inception_v3",
        "maxvit_t",
        "mnasnet0_5",
        "mnasnet0_75",
        "mnasnet1_0",
        "mnasnet1_3",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "regnet_x_16gf",
        "regnet_x_1_6gf",
        "regnet_x_32gf",
        "regnet_x_3_2gf",
        "regnet_x_400mf",
        "regnet_x_800mf",
        "regnet_x_8gf",
        "regnet_y_128gf",
        "regnet_y_16gf",
        "regnet_y_1_6gf",
        "regnet_y_32gf",
        "regnet_y_3_2gf",
        "regnet_y_400mf",
        "regnet_y_800mf",
        "regnet_y_8gf",
        "resnet101",
        "resnet152",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnext101_32x8d",
        "resnext101_64x4d",
        "resnext50_32x4d",
        "shufflenet_v2_x0_5",
        "shufflenet_v2_x1_0",
        "shufflenet_v2_x1_5",
        "shufflenet_v2_x2_0",
        "squeezenet1_0",
        "squeezenet1_1",
        "swin_b",
        "swin_s",
        "swin_t",
        "swin_v2_b",
        "swin_v2_s",
        "swin_v2_t",
        "vgg11",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
        "vit_b_16",
        "vit_b_32",
        "vit_h_14",
        "vit_l_16",
        "vit_l_32",
        "wide_resnet101_2",
        "wide_resnet50_2",
    ]
)
"""Classification networks of torchvision."""

TORCHVISION_SEGMENTATION = frozenset(
    [
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_resnet101",
        "deeplabv3_resnet50",
        "fcn_resnet101",
        "fcn_resnet50",
        "lraspp_mobilenet_v3_large",
    ]
)
"""Networks of torchvision for segmentation."""

TORCHVISION_DETECTION = frozenset(
    [
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_resnet50_fpn",
        "fasterrcnn_resnet50_fpn_v2",
        "fcos_resnet50_fpn",
        "retinanet_resnet50_fpn",
        "retinanet_resnet50_fpn_v2",
        "ssd300_vgg16",
        "ssdlite320_mobilenet_v3_large",
    ]
)
"""Networks of torchvision for detection."""

TORCHVISION_VIDEO = frozenset(
    [
        "mc3_18",
        "mvit_v1_b",
        "mvit_v2_s",
        "r2plus1d_18",
        "r3d_18",
        "s3d",
        "swin3d_b",
        "swin3d_s",
        "swin3d_t",
    ]
)
"""Networks of torchvision for video: inputs are (3, frames, height, width)."""

TORCHVISION_QUANTIZABLE = frozenset(
    [
        "quantized_googlenet",
        "quantized_inception_v3",
        "quantized_mobilenet_v2",
        "quantized_mobilenet_v3_large",
        "quantized_resnet18",
        "quantized_resnet50",
        "quantized_resnext101_32x8d",
        "quantized_resnext101_64x4d",
        "quantized_shufflenet_v2_x0_5",
        "quantized_shufflenet_v2_x1_0",
        "quantized_shufflenet_v2_x1_5",
        "quantized_shufflenet_v2_x2_0",
    ]
)
"""Networks of torchvision that can be quantised, in single precision."""

TORCHVISION_REFUSED: Mapping[str, str] = {
    "keypointrcnn_resnet50_fpn": "learns from keypoints",
    "maskrcnn_resnet50_fpn": "learns from masks of objects",
    "maskrcnn_resnet50_fpn_v2": "learns from masks of objects",
}
"""Networks of torchvision for detection that cannot be used, and what they would need beside boxes."""
