"""An augmentation, divided by where it is done: as a picture is read, of a single image, of a batch on its device."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from jobs.errors import BadInputError, nearest
from jobs.spec.augment import Augment, TransformSpec, steps_of
from workers.data.augment import Augmentation
from workers.data.images import ImageData
from workers.data.pictures import Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The augmentations of a training, one after the other.

    Attributes:
        names: All of them.
        cut: How images are cut out of their pictures; None: as the data does it.
        single: Where any changes images one by one, all but those that mix the images of a batch: for batches of one
            sample, where torch's global generator is seeded by the sample; they draw from that one.
        batch: All others, for batches.
    """

    names: tuple[str, ...] = ()
    cut: Cut | None = None
    single: tuple[Augmentation, ...] = ()
    batch: tuple[Augmentation, ...] = ()

    @classmethod
    def of(
        cls,
        augment: Augment,
        data: ImageData,
        *,
        named: Callable[[str], Augmentation],
        transforms: Collection[str],
        where: str,
    ) -> "Pipeline":
        """The pipeline of a sweep's setting.

        Args:
            augment: The setting.
            data: What is known of the images.
            named: From a name to the augmentation; raises BadInputError.
            transforms: Which of torchvision's transforms keep the targets true.
            where: For messages.

        Raises:
            BadInputError: One of the augmentations is unknown, or does not suit the data.
        """
        from workers.data.transforms import picture_cut, transform  # torchvision: it takes seconds to be imported

        steps = steps_of(augment)
        names = tuple(each.name if isinstance(each, TransformSpec) else each for each in steps)
        for step in steps:
            if isinstance(step, TransformSpec) and step.name not in transforms:
                raise BadInputError(
                    f"{where}: augment: {step.name} may not keep its targets true; {nearest(step.name, transforms)}"
                )
        one_by_one = any(isinstance(each, TransformSpec) and each.of_images for each in steps)
        cut = None
        if steps and isinstance(steps[0], TransformSpec) and steps[0].random_resized_crop:
            cut, steps = picture_cut(steps[0].random_resized_crop, data), steps[1:]
        made = tuple(transform(each, data) if isinstance(each, TransformSpec) else named(each) for each in steps)
        mixing = (number for number, each in enumerate(steps) if isinstance(each, TransformSpec) and not each.of_images)
        first = next(mixing, len(made)) if one_by_one else 0
        return cls(names=names, cut=cut, single=made[:first], batch=made[first:])
