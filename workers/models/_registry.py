"""The zoo: the built-in networks by name. To add one, write its file and add a line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from workers.models.bicubic import bicubic
from workers.models.densenet import densenet, densenet40
from workers.models.edsr import edsr, edsr_baseline
from workers.models.faster_rcnn import faster_rcnn, faster_rcnn_fpn
from workers.models.nin import nin
from workers.models.plain import plain
from workers.models.preresnet import preresnet, preresnet164
from workers.models.resnet import (
    cifar_resnet,
    cifar_resnet18,
    cifar_resnet20,
    cifar_resnet50,
    cifar_resnet56,
    cifar_resnet110,
    resnet,
)
from workers.models.srcnn import srcnn
from workers.models.unet import unet
from workers.models.vgg import cifar_vgg11, cifar_vgg11_bn, cifar_vgg16_bn, cifar_vgg19_bn

ZOO: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "bicubic": bicubic,
        "cifar_resnet": cifar_resnet,
        "cifar_resnet18": cifar_resnet18,
        "cifar_resnet20": cifar_resnet20,
        "cifar_resnet50": cifar_resnet50,
        "cifar_resnet56": cifar_resnet56,
        "cifar_resnet110": cifar_resnet110,
        "cifar_vgg11": cifar_vgg11,
        "cifar_vgg11_bn": cifar_vgg11_bn,
        "cifar_vgg16_bn": cifar_vgg16_bn,
        "cifar_vgg19_bn": cifar_vgg19_bn,
        "densenet": densenet,
        "densenet40": densenet40,
        "edsr": edsr,
        "edsr_baseline": edsr_baseline,
        "faster_rcnn": faster_rcnn,
        "faster_rcnn_fpn": faster_rcnn_fpn,
        "nin": nin,
        "plain": plain,
        "preresnet": preresnet,
        "preresnet164": preresnet164,
        "resnet": resnet,
        "srcnn": srcnn,
        "unet": unet,
    }
)
