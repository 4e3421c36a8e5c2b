"""The zoo: the networks that have a short name. To add one, write its file and add a line here.

Knows names only; `build` knows what to do with them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from workers.models.densenet import densenet
from workers.models.plain import plain
from workers.models.resnet import cifar_resnet, cifar_resnet56, resnet
from workers.models.vgg import cifar_vgg16_bn

ZOO: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "cifar_resnet": cifar_resnet,
        "cifar_resnet56": cifar_resnet56,
        "cifar_vgg16_bn": cifar_vgg16_bn,
        "densenet": densenet,
        "plain": plain,
        "resnet": resnet,
    }
)
