"""Augmentation in training: one by name, or several, one after the other."""

from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from jobs import checks
from jobs.spec.base import Record

_Range = Annotated[
    tuple[float, float],
    Field(strict=False),  # a list, also behind validators before which pydantic does not take it for JSON
]


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if not 0 < limits[0] <= limits[1]:
        raise checks.fault(f"{list(limits)} is no range; give two numbers above 0, the smaller one first")
    return limits


def _fractions(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[1] > 1:
        raise checks.fault(f"{list(limits)} goes beyond 1, the whole picture; give fractions of its area")
    return limits


Area = Annotated[_Range, AfterValidator(_rising), AfterValidator(_fractions)]
Ratio = Annotated[_Range, AfterValidator(_rising)]


class RandomResizedCropSpec(Record):
    """A random part of the whole picture, scaled to the size of the data's images: torchvision's RandomResizedCrop.

    It takes the place of the resizing and of the centre crop with which the data is evaluated. Of data sets that read
    picture files: `imagefolder`, `webdataset`.
    """

    scale: Area = Field(default=(0.08, 1.0), description="Smallest and largest part, as a fraction of the area.")
    ratio: Ratio = Field(default=(3 / 4, 4 / 3), description="Smallest and largest ratio of width to height.")


class RandAugmentSpec(Record):
    """Random changes of geometry and colour (Cubuk et al. 2019, arXiv:1909.13719): torchvision's RandAugment."""

    num_ops: int = Field(default=2, ge=1, description="Changes of each image, one after the other.")
    magnitude: int = Field(default=9, ge=0, le=30, description="Strength of all changes.")


class RandomErasingSpec(Record):
    """A random rectangle is erased (Zhong et al. 2017, arXiv:1708.04896): torchvision's RandomErasing, with 0."""

    probability: float = Field(default=0.5, gt=0, le=1, description="Of an image to lose one.")
    scale: Area = Field(default=(0.02, 0.33), description="Smallest and largest part, as a fraction of the area.")
    ratio: Ratio = Field(default=(0.3, 3.3), description="Smallest and largest ratio of its sides.")


class MixupSpec(Record):
    """Weighted means of two images and of their targets (Zhang et al. 2017, arXiv:1710.09412): torchvision's MixUp."""

    alpha: float = Field(default=0.2, gt=0, description="The weight is drawn from Beta(alpha, alpha), once a batch.")


class CutmixSpec(Record):
    """A rectangle of another image, its target by area (Yun et al. 2019, arXiv:1905.04899): torchvision's CutMix."""

    alpha: float = Field(default=1.0, gt=0, description="The area is drawn from Beta(alpha, alpha), once a batch.")


class TransformSpec(Record):
    """A transform of torchvision's, with its settings: exactly one, such as `{randaugment: {magnitude: 9}}`."""

    random_resized_crop: RandomResizedCropSpec | None = Field(default=None, description="First of all.")
    randaugment: RandAugmentSpec | None = Field(default=None, description="Of each image by itself.")
    random_erasing: RandomErasingSpec | None = Field(default=None, description="Of each image by itself.")
    mixup: MixupSpec | None = Field(default=None, description="Of whole batches: after those of single images.")
    cutmix: CutmixSpec | None = Field(default=None, description="Of whole batches: after those of single images.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise checks.fault(f"has {' and '.join(given) or 'no transform'}; give one, and further ones as entries")
        return self

    @property
    def name(self) -> str:
        """Which transform it is."""
        return next(name for name in TRANSFORMS if getattr(self, name) is not None)

    @property
    def of_images(self) -> bool:
        """Whether it changes every image by itself, and not a batch."""
        return self.name not in _OF_BATCHES


TRANSFORMS = tuple(TransformSpec.model_fields)
"""The transforms of torchvision that can be named."""

_OF_BATCHES = ("mixup", "cutmix")


def _step_form(value: Any) -> str:
    return "name" if isinstance(value, str) else "transform"


def _form(value: Any) -> str:
    match value:
        case list() | tuple():
            return "list"
        case dict() | TransformSpec():
            return "transform"
        case _:
            return "name"


Step: TypeAlias = Annotated[
    Annotated[str, Tag("name")] | Annotated[TransformSpec, Tag("transform")], Discriminator(_step_form)
]
"""The name of an augmentation of the objective's, or a transform."""


def _canonical(given: "str | TransformSpec | tuple[Step, ...]") -> "str | tuple[Step, ...]":
    """The same with every transform as a record in a list, and a single name by itself, so that it has one key."""
    named = given if isinstance(given, tuple) else (given,)
    steps = tuple(TransformSpec.model_validate({each: {}}) if each in TRANSFORMS else each for each in named)
    if not steps or ("none" in steps and steps != ("none",)):
        raise checks.fault(f"{list(named)} is no list of augmentations; leave `none` out, or give it by itself")
    single = [number for number, each in enumerate(steps) if isinstance(each, TransformSpec) and each.of_images]
    for number, each in enumerate(steps):
        if not isinstance(each, TransformSpec):
            continue
        if each.random_resized_crop and number:
            raise checks.fault("random_resized_crop is of the picture as it is read; give it first")
        if not each.of_images and any(later > number for later in single):
            raise checks.fault(f"{each.name} mixes the images of a batch; give it after what changes single images")
    return steps[0] if isinstance(steps[0], str) and len(steps) == 1 else steps


Augment: TypeAlias = Annotated[
    Annotated[str, Tag("name")]
    | Annotated[TransformSpec, Tag("transform")]
    | Annotated[tuple[Step, ...], Field(strict=False), Tag("list")],
    Discriminator(_form),
    AfterValidator(_canonical),
]
"""One augmentation by its name or with its settings, or several."""

AUGMENT_FORMS = ("name", "transform", "list")
STEP_FORMS = ("name", "transform")


def steps_of(augment: Augment) -> tuple[Step, ...]:
    """The augmentations, one after the other; none for `none`."""
    return tuple(each for each in (augment if isinstance(augment, tuple) else (augment,)) if each != "none")
