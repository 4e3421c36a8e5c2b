"""Arguments of the data sets for super-resolution: their records, and how all faults are reported at once."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from jobs import checks
from jobs.errors import Fault, InvalidFileError, nearest
from jobs.problems import problem
from jobs.spec.base import Name, Record, Seed


def _below_root(folder: str) -> str:
    """A folder relative to the root, in its shortest form; the fingerprint of the data covers what lies there."""
    path = PurePath(folder)
    if path.is_absolute() or ".." in path.parts:
        raise checks.fault(f"'{folder}' is not below the root; name the folder relative to that")
    return str(path)


Folder = Annotated[str, AfterValidator(_below_root)]
Folders = Annotated[tuple[Folder, ...], BeforeValidator(checks.one_or_several), AfterValidator(checks.not_empty)]
Pixels = Annotated[int, Field(ge=1)]


class PairOptions(Record, ABC):
    """What the data sets have in common."""

    scale: Literal[2, 3, 4] = Field(description="How many times larger the high-resolution images are.")
    low: dict[Folder, Folder] = Field(
        default_factory=dict,
        description="From a folder of high-resolution images to that of its low-resolution ones, of any degradation: "
        "`{Set5: Set5_LR/X4}`. For NAME.png it holds NAMEx4.png (at scale 4) or NAME.png. Others are made here.",
    )
    patch: Pixels = Field(
        default=48,
        description="Side of the training patches as the network sees them, in pixels; its targets are `scale` times "
        "larger, unless `enlarged`.",
    )
    patches: int = Field(default=16_000, ge=1, description="Patches per epoch: the length of the training split.")
    colour: Literal["rgb", "luma"] = Field(default="rgb", description="Channels of inputs and targets: three, or one.")
    enlarged: bool = Field(
        default=False,
        description="Networks get images that were enlarged to the size of their targets, bicubic, as SRCNN does.",
    )
    validation: int | None = Field(
        default=None,
        ge=1,
        description="How many of the last training images are for validation; default: a tenth, at least one.",
    )
    validation_crop: Pixels | None = Field(
        default=None,
        description="Of these take the square in the middle, of this side in pixels of the network's input; default: "
        "whole images.",
    )
    seed: Seed = Field(default=0, description="Of the places of the patches.")

    @abstractmethod
    def folders(self) -> tuple[tuple[str, ...], Mapping[str, str], Mapping[str, str]]:
        """Folders of training images, of test images by the name of their set, and of low-resolution images."""

    @model_validator(mode="after")
    def _low_is_of_some_images(self) -> "PairOptions":
        train, test, _ = self.folders()
        for folder in self.low:
            if folder not in (known := [*train, *test.values()]):
                raise checks.fault(f"low: '{folder}' is neither in train nor in test; {nearest(folder, known)}")
        return self


class FolderOptions(PairOptions):
    """Arguments of `sr-folders`."""

    train: Folders = Field(
        description="A folder of high-resolution images below the root, or several, in the order of folders and names."
    )
    test: Annotated[dict[Name, Folder], AfterValidator(checks.not_empty)] = Field(
        description="From the name of a test set, which its metrics have, to its folder: `{set5: Set5, b100: B100}`."
    )

    def folders(self) -> tuple[tuple[str, ...], Mapping[str, str], Mapping[str, str]]:
        """As the record has them."""
        return self.train, self.test, self.low


class Div2kOptions(PairOptions):
    """Arguments of `div2k`."""

    degradation: Literal["bicubic", "unknown"] | None = Field(
        default="bicubic",
        description="Of the low-resolution images that are read; null: they are made here, anti-aliased bicubic.",
    )
    test: dict[Name, Folder] = Field(
        default_factory=dict, description="Further test sets beside `div2k`, by name: `{set5: Set5}`."
    )

    def folders(self) -> tuple[tuple[str, ...], Mapping[str, str], Mapping[str, str]]:
        """As the archives of DIV2K unpack, and the further ones."""
        train, valid = "DIV2K_train_HR", "DIV2K_valid_HR"
        low = {each: each.replace("HR", f"LR_{self.degradation}/X{self.scale}") for each in (train, valid)}
        return (train,), {"div2k": valid, **self.test}, {**(low if self.degradation else {}), **self.low}


_Options = TypeVar("_Options", bound=PairOptions)


def parse_options(record: type[_Options], arguments: Mapping[str, Any], *, where: str) -> _Options:
    """The arguments as a record.

    Raises:
        InvalidFileError: Some are missing, unknown or not allowed; it lists every fault.
    """
    try:
        return record.model_validate_json(json.dumps(arguments))
    except ValidationError as error:
        faults = []
        for details in error.errors(include_url=False):
            path = ".".join(str(part) for part in details["loc"] if part != "[key]")
            unknown = details["type"] == "extra_forbidden"
            told = f"is not accepted; {nearest(path, record.model_fields)}" if unknown else problem(details)
            faults.append(Fault(path=path, problem=told))
        raise InvalidFileError(where, faults) from error
