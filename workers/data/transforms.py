"""The transforms of torchvision that a sweep can name, as augmentations: images stay as they are normalised.

They draw from torch's global generator, which is seeded for them: by the sample where they change single images
(`workers.data.feed`), and by the generator that an augmentation is given where they change batches.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from jobs.errors import BadInputError
from jobs.spec.augment import RandAugmentSpec, RandomErasingSpec, RandomResizedCropSpec, TransformSpec
from workers.data.augment import Augmentation
from workers.data.images import ImageData
from workers.data.pictures import Cut
from workers.data.seeding import drawing_from

_COLOURS = (1, 3)


def picture_cut(spec: RandomResizedCropSpec, data: ImageData) -> Cut:
    """What cuts a random part out of a picture, in the size of the data's images.

    Raises:
        BadInputError: The data gives no images.
    """
    _, height, width = _shape(data, "random_resized_crop")
    crop: Cut = v2.RandomResizedCrop((height, width), scale=spec.scale, ratio=spec.ratio, antialias=True)
    return crop


def transform(spec: TransformSpec, data: ImageData) -> Augmentation:
    """A transform of images or of batches of images.

    Args:
        spec: Any but a random resized crop.
        data: What is known of the images: their shape, normalisation and classes.

    Raises:
        BadInputError: It does not suit the data.
    """
    if spec.randaugment is not None:
        return _rand_augment(spec.randaugment, data)
    if spec.random_erasing is not None:
        return _random_erasing(spec.random_erasing)
    if data.num_classes is None:
        raise BadInputError(f"augment: {spec.name} mixes classes, and the data has none; leave it out")
    if spec.mixup is not None:
        return _of_batches(v2.MixUp(alpha=spec.mixup.alpha, num_classes=data.num_classes))
    assert spec.cutmix is not None  # it is the last one
    return _of_batches(v2.CutMix(alpha=spec.cutmix.alpha, num_classes=data.num_classes))


def _rand_augment(spec: RandAugmentSpec, data: ImageData) -> Augmentation:
    channels, *_ = _shape(data, "randaugment")
    if channels not in _COLOURS:
        raise BadInputError(f"augment: randaugment is of images with 1 or 3 channels, and the data has {channels}")
    change = v2.RandAugment(num_ops=spec.num_ops, magnitude=spec.magnitude)
    mean, std = data.normalized or ([0.0] * channels, [1.0] * channels)
    shift, scale = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def augment(
        images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n c h w"], Shaped[Tensor, "n ..."]]:
        """On the bytes that images were made of, as Pillow's images: torchvision is quicker on them."""
        del generator
        pixels = (images * scale).add_(shift).mul_(255).round_().clamp_(0, 255).to(torch.uint8)
        changed = [functional.pil_to_tensor(change(functional.to_pil_image(each))) for each in pixels]
        return torch.stack(changed).to(images.dtype).div_(255).sub_(shift).div_(scale), targets

    return augment


def _random_erasing(spec: RandomErasingSpec) -> Augmentation:
    change = v2.RandomErasing(p=spec.probability, scale=spec.scale, ratio=spec.ratio, value=0)

    def augment(
        images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n c h w"], Shaped[Tensor, "n ..."]]:
        del generator
        return change(images), targets

    return augment


def _of_batches(mix: v2.Transform) -> Augmentation:
    def augment(
        images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n num_classes"]]:
        with drawing_from(generator):
            mixed, probabilities = mix(images, targets)
        return mixed, probabilities

    return augment


def _shape(data: ImageData, name: str) -> tuple[int, int, int]:
    if data.input_shape is None:
        raise BadInputError(f"augment: {name} is of images, and the data gives {data.inputs}; leave it out")
    return data.input_shape
