"""Images of Hugging Face's datasets, from a folder or the hub; the library is imported here, and may be missing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float32, Int64
from PIL import Image
from torch import Tensor

from jobs.errors import BadInputError, nearest
from jobs.libraries import missing
from jobs.weights import HubReference, is_hub
from workers.data.files import data_root, every_tenth, in_rgb
from workers.data.folder import centre_square, unit_tensor
from workers.data.images import ImageData, Split
from workers.data.pictures import Cut
from workers.reading import unreadable

_HELD_OUT = (("validation", "val", "dev"), ("test",))


class ColumnImages:
    """The pictures of a column as RGB in [0, 1], cut out of them.

    Args:
        rows: A `datasets.Dataset`, whose rows are mappings, with pictures of Pillow.
        column: Which column.
        cut: How.
    """

    def __init__(self, rows: Any, column: str, cut: Cut) -> None:
        self._rows, self._column, self._cut = rows, column, cut

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "3 h w"]:
        """One image.

        Raises:
            BadInputError: It is no image, or not one in RGB.
        """
        picture = self._rows[index][self._column]
        if not isinstance(picture, Image.Image):
            raise BadInputError(
                f"data 'huggingface': column '{self._column}' has {type(picture).__name__} in row {index}; a picture "
                "is needed: name its column in data.arguments.image"
            )
        return unit_tensor(self._cut(in_rgb(picture, f"data 'huggingface': row {index}")))

    def with_cut(self, cut: Cut) -> "ColumnImages":
        """The same pictures, cut in this way."""
        return ColumnImages(self._rows, self._column, cut)


def load_datasets(
    root: str | None,
    size: int = 224,
    resize: int | None = None,
    image: str = "image",
    label: str = "label",
    config: str | None = None,
) -> ImageData:
    """Pictures with a class each, read one by one from Arrow files.

    Where only one of validation and test is there, it is the test split and every tenth training image is kept for
    validation, as of `imagefolder`.

    Args:
        root: What `save_to_disk` wrote, or a repository on the hub, `hf://OWNER/NAME@COMMIT`.
        size: Side of the square images, in pixels.
        resize: Length of the shorter side before the centre crop; `size` unless given.
        image: The column of the pictures.
        label: The column of the classes, whole numbers or a `ClassLabel`.
        config: Which configuration of the repository.

    Raises:
        BadInputError: The library is missing, there is no such data, or it has other splits, columns or classes.
    """
    resize = size if resize is None else resize
    if not 1 <= size <= resize:
        raise BadInputError(f"data 'huggingface': size is {size}, resize {resize}; 1 <= size <= resize is needed")
    found = _read(root, config)
    held_out = [next((name for name in names if name in found), None) for names in _HELD_OUT]
    present = [name for name in held_out if name is not None]
    if "train" not in found or not present:
        raise BadInputError(
            f"data 'huggingface': {root} has {', '.join(found) or 'no splits'}; needed: train, and validation or test "
            "or both"
        )
    cut = partial(centre_square, size=size, resize=resize)
    splits = [_split(found[name], name, image, label, cut) for name in ("train", *present)]
    if len(splits) == 2:
        splits[:1] = every_tenth(splits[0])
    train, validation, test = splits
    classes = getattr(found["train"].features[label], "num_classes", None)
    num_classes = int(_labels(found["train"], "train", label).amax()) + 1 if classes is None else classes
    return ImageData(
        train=train, validation=validation, test=test, num_classes=num_classes, input_shape=(3, size, size)
    )


def _read(root: str | None, config: str | None) -> Mapping[str, Any]:
    if said := missing("datasets"):
        raise BadInputError(f"data 'huggingface': {said}")
    import datasets

    try:
        if root is not None and is_hub(root):
            reference = HubReference.parse(root)
            found = datasets.load_dataset(reference.repository, config, revision=reference.revision)
        else:
            found = datasets.load_from_disk(str(data_root("huggingface", root)))
    except BadInputError:
        raise
    except Exception as error:  # the library raises errors of many kinds
        message = f"data 'huggingface': {root} cannot be read: {type(error).__name__}: {error}"
        raise unreadable(error, message) from error
    return found if isinstance(found, Mapping) else {}


def _split(rows: Any, name: str, image: str, label: str, cut: Cut) -> Split:
    for column in (image, label):
        if column not in rows.column_names:
            raise BadInputError(
                f"data 'huggingface': there is no column '{column}'; {nearest(column, rows.column_names)} "
                "Say image and label in data.arguments."
            )
    return Split(images=ColumnImages(rows, image, cut), targets=_labels(rows, name, label))


def _labels(rows: Any, name: str, column: str) -> Int64[Tensor, " n"]:
    """The classes of a split's rows; its name is for the error's text."""
    where = f"data 'huggingface': column '{column}'"
    values = list(rows[column])
    if not all(isinstance(each, int) for each in values):
        raise BadInputError(f"{where} has no whole numbers, the classes; name another one in data.arguments.label")
    labels = torch.tensor(values, dtype=torch.int64)
    if (labels < 0).any():
        raise BadInputError(
            f"{where} has the class {int(labels.amin())} in {name}, and classes are numbered from 0; where those of "
            f"{name} are hidden, save the data set without it (save_to_disk) and name that folder as data.root"
        )
    return labels
