"""Images that are cut out of whole pictures as they are read, and how."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from PIL import Image

from jobs.errors import BadInputError

Cut: TypeAlias = Callable[[Image.Image], Image.Image]
"""From a picture in RGB to the image of the data's size; it may draw from torch's global generator."""

_Images = TypeVar("_Images", covariant=True)


@runtime_checkable
class OfPictures(Protocol[_Images]):
    """Images that can be cut out of their pictures in another way."""

    def with_cut(self, cut: Cut) -> _Images:
        """The same pictures, cut in this way."""
        ...


def cut_anew(images: object, cut: Cut) -> object:
    """The same images, cut out of their pictures in another way.

    Raises:
        BadInputError: There are no pictures.
    """
    if not isinstance(images, OfPictures):
        raise BadInputError(
            "augment: random_resized_crop cuts parts out of whole pictures as they are read, and this data set has "
            "images of one size; take resized-crop-flip"
        )
    return images.with_cut(cut)
