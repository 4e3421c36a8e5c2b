"""The networks of benchmark `coverage`, with random weights: names, and how each is made.

A name is its source and what the source calls it, such as `timm:vit_tiny_patch16_224`. From every family that a source
has comes one small member. The sources are optional: a network whose library is missing is a row that says so.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CLASSIFICATION = (
    *("alexnet", "vgg11_bn", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "inception_v3", "mobilenet_v2"),
    *("mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x1_0", "squeezenet1_1", "efficientnet_b0", "regnet_y_400mf"),
    *("convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t", "maxvit_t"),
)
SEGMENTATION = ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "fcn_resnet50")
DETECTION: Mapping[str, tuple[str, ...]] = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": ("backbone", "roi_heads.box_head"),
    "fasterrcnn_resnet50_fpn_v2": ("backbone", "roi_heads.box_head"),
    "maskrcnn_resnet50_fpn": ("backbone", "roi_heads.box_head", "roi_heads.mask_head"),
    "retinanet_resnet50_fpn": ("backbone", "head"),
    "fcos_resnet50_fpn": ("backbone", "head"),
    "ssd300_vgg16": ("backbone", "head"),
    "ssdlite320_mobilenet_v3_large": ("backbone", "head"),
}
"""The parts that are traced, by network."""
VIDEO = ("r3d_18", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t")
QUANTIZABLE = ("resnet18", "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x0_5")
TIMM = (
    *("beit_base_patch16_224", "botnet26t_256", "eca_botnext26ts_256", "regnetz_b16", "repvgg_a0", "cait_xxs24_224"),
    *("coat_lite_tiny", "convit_tiny", "convmixer_768_32", "convnext_atto", "convnextv2_atto", "crossvit_tiny_240"),
    *("cspresnet50", "cs3darknet_s", "davit_tiny", "deit_tiny_patch16_224", "densenetblur121d", "dla46_c", "dpn48b"),
    *("edgenext_xx_small", "efficientformer_l1", "efficientnet_lite0", "mixnet_s", "efficientvit_b0", "fastvit_t8"),
    *("eva02_tiny_patch14_224", "focalnet_tiny_srf", "gcvit_xxtiny", "ghostnet_050", "hgnetv2_b0", "hiera_tiny_224"),
    *("hrnet_w18_small", "inception_next_atto", "inception_resnet_v2", "inception_v4", "levit_128s", "mambaout_femto"),
    *("maxvit_nano_rw_256", "poolformer_s12", "mixer_s32_224", "mobilenetv4_conv_small", "mobilevit_xxs"),
    *("mvitv2_tiny", "nf_resnet50", "pit_ti_224", "pvt_v2_b0", "regnetx_002", "repvit_m0_9", "res2net50_14w_8s"),
    *("resnest14d", "ecaresnet26t", "resnetv2_50x1_bit", "rexnet_100", "skresnet18", "swin_tiny_patch4_window7_224"),
    *("tresnet_m", "twins_svt_small", "vit_tiny_patch16_224", "ese_vovnet19b_dw", "xception41", "xcit_nano_12_p16_224"),
)
SEGMENTERS = (
    "Unet",
    "UnetPlusPlus",
    "Linknet",
    "FPN",
    "PSPNet",
    "PAN",
    "MAnet",
    "DeepLabV3Plus",
    "UPerNet",
    "Segformer",
)
YOLO = ("yolov3-tiny", "yolov5n", "yolov8n", "yolov8n-seg", "yolov10n", "yolo11n")

_PLAIN = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "image_size": 64,
}
_STAGES = {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 48, 64]}
TRANSFORMERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ViTForImageClassification": ("ViTConfig", _PLAIN),
    "DeiTForImageClassification": ("DeiTConfig", _PLAIN),
    "BeitForImageClassification": ("BeitConfig", _PLAIN),
    "Dinov2ForImageClassification": ("Dinov2Config", _PLAIN),
    "SiglipForImageClassification": ("SiglipConfig", {"vision_config": _PLAIN, "text_config": {"vocab_size": 32}}),
    "YolosForObjectDetection": ("YolosConfig", _PLAIN | {"image_size": [64, 64], "num_detection_tokens": 8}),
    "DPTForSemanticSegmentation": (
        "DPTConfig",
        _PLAIN | {"num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [16, 24, 32, 48]},
    ),
    "SwinForImageClassification": ("SwinConfig", {"embed_dim": 24, "depths": [1, 2], "num_heads": [2, 4]}),
    "Swinv2ForImageClassification": ("Swinv2Config", {"embed_dim": 24, "depths": [1, 2], "num_heads": [2, 4]}),
    "SegformerForSemanticSegmentation": (
        "SegformerConfig",
        {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 40, 64], "decoder_hidden_size": 32},
    ),
    "ConvNextForImageClassification": ("ConvNextConfig", _STAGES),
    "ConvNextV2ForImageClassification": ("ConvNextV2Config", _STAGES),
    "ResNetForImageClassification": ("ResNetConfig", {"embedding_size": 16, **_STAGES}),
    "RegNetForImageClassification": ("RegNetConfig", {"embedding_size": 16, "groups_width": 8, **_STAGES}),
    "PoolFormerForImageClassification": ("PoolFormerConfig", _STAGES),
    "PvtV2ForImageClassification": ("PvtV2Config", {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 40, 64]}),
    "MobileViTForImageClassification": ("MobileViTConfig", {"image_size": 64}),
    "MobileNetV2ForImageClassification": ("MobileNetV2Config", {"depth_multiplier": 0.5}),
    "LevitForImageClassification": ("LevitConfig", {"image_size": 64, "depths": [1, 1, 1]}),
}
"""Class of the configuration and its arguments, by class of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network of the benchmark.

    Attributes:
        network: in evaluation mode, with random weights.
        shape: shape of one sample, without the batch.
        parts: what is analysed where it cannot be traced whole.
    """

    network: nn.Module
    shape: tuple[int, ...]
    parts: tuple[str, ...] = ()


class Tensors(nn.Module):
    """A network of transformers: takes one tensor, returns the logits of what it returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        result: Tensor = self.network(pixel_values=images).logits
        return result


def _torchvision(name: str) -> Subject:
    import torchvision

    settings = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = torchvision.models.get_model(name, weights=None, **settings)
    side = 299 if name == "inception_v3" else 224 if name.startswith(("vit", "swin", "maxvit")) else 96
    return Subject(network=network, shape=(3, side, side))


def _segmentation(name: str) -> Subject:
    import torchvision

    network = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=21)
    return Subject(network=network, shape=(3, 96, 96))


def _detection(name: str) -> Subject:
    import torchvision

    sides = {"min_size": 128, "max_size": 128} if "ssd" not in name else {}
    network = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=6, **sides)
    return Subject(network=network, shape=(3, 128, 128), parts=DETECTION[name])


def _video(name: str) -> Subject:
    import torchvision

    frames, side = {"s3d": (13, 209), "mvit_v2_s": (16, 224), "swin3d_t": (16, 224)}.get(
        name, (16, 64)
    )  # S3D: its least
    return Subject(network=torchvision.models.get_model(name, weights=None), shape=(3, frames, side, side))


def _quantizable(name: str) -> Subject:
    import torchvision

    network = getattr(torchvision.models.quantization, name)(weights=None, quantize=False)
    return Subject(network=network, shape=(3, 96, 96))


def _timm(name: str) -> Subject:
    timm = importlib.import_module("timm")
    network = timm.create_model(name, pretrained=False)
    if not network.num_classes:  # those that are published as encoders
        network = timm.create_model(name, pretrained=False, num_classes=1000)
    settings = network.pretrained_cfg
    channels, side, _ = settings["input_size"]
    if not settings.get("fixed_input_size"):
        side = min(side, 96)
    return Subject(network=network, shape=(channels, side, side))


def _segmenter(name: str) -> Subject:
    library = importlib.import_module("segmentation_models_pytorch")
    encoder = "mit_b0" if name == "Segformer" else "resnet18"
    network = getattr(library, name)(encoder_name=encoder, encoder_weights=None, classes=4)
    return Subject(network=network, shape=(3, 128, 128))


def _yolo(name: str) -> Subject:
    tasks = importlib.import_module("ultralytics.nn.tasks")
    kind = tasks.SegmentationModel if name.endswith("-seg") else tasks.DetectionModel
    return Subject(network=kind(f"{name}.yaml", verbose=False), shape=(3, 96, 96))


def _transformers(name: str) -> Subject:
    library = importlib.import_module("transformers")
    configuration, settings = TRANSFORMERS[name]
    network = getattr(library, name)(getattr(library, configuration)(**settings))
    side = 224 if name.startswith(("Swin", "MobileNet")) else 64
    return Subject(network=Tensors(network), shape=(3, side, side))


_MAKERS: Mapping[str, tuple[Callable[[str], Subject], tuple[str, ...]]] = {
    "torchvision": (_torchvision, CLASSIFICATION),
    "segmentation": (_segmentation, SEGMENTATION),
    "detection": (_detection, tuple(DETECTION)),
    "video": (_video, VIDEO),
    "quantizable": (_quantizable, QUANTIZABLE),
    "timm": (_timm, TIMM),
    "smp": (_segmenter, SEGMENTERS),
    "yolo": (_yolo, YOLO),
    "transformers": (_transformers, tuple(TRANSFORMERS)),
}

NAMES = tuple(f"{source}:{name}" for source, (_, names) in _MAKERS.items() for name in names)
QUICK = (
    *("torchvision:resnet18", "quantizable:mobilenet_v2", "detection:fasterrcnn_mobilenet_v3_large_320_fpn"),
    *("timm:convnext_atto", "smp:Unet", "transformers:ViTForImageClassification", "yolo:yolov8n"),
)


def make(name: str) -> Subject:
    """The network of a name in `NAMES`.

    Raises:
        ImportError: its library is not installed.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # weights are random; nothing is to be fetched
    source, _, rest = name.partition(":")
    torch.manual_seed(0)
    subject = _MAKERS[source][0](rest)
    subject.network.float().eval()
    return subject
