"""The data set of a sweep."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks, names
from jobs.errors import BadInputError
from jobs.spec.base import Location, Record
from jobs.weights import HubReference, is_hub


class NormalizeSpec(Record):
    """Per-channel normalisation of the images."""

    mean: tuple[float, ...] = Field(description="Per-channel mean, subtracted; pixels are in [0, 1].")
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(description="Per-channel standard deviation, divided by.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.mean) != len(self.std):
            raise checks.fault("mean and std have different lengths; give one of each per image channel")
        return self


class DataSpec(Record):
    """The data set that every model of the sweep is trained, tuned and evaluated on."""

    dataset: Annotated[str, AfterValidator(checks.known_or_own(names.DATASETS))] = Field(
        description="A data set of ours, or your own `package.module:callable`."
    )
    root: Location | None = Field(
        default=None,
        description="Folder of the data, as every worker sees it; of `webdataset` also the URI of an index, "
        "of `huggingface` also `hf://OWNER/NAME@COMMIT`.",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the data set.")
    normalize: NormalizeSpec | None = Field(default=None, description="Default: none, pixels stay in [0, 1].")
    fingerprint: str | None = Field(
        default=None,
        description="Fingerprint of the data, where the driver cannot read `root`; default: computed.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="Processes that read it ahead, in training and in evaluation, where it is not in memory or is "
        "augmented image by image; 0: none. Results do not depend on it. Give stages that read as many CPUs "
        "(`resources`).",
    )
    batch_size: int = Field(
        default=256, ge=1, description="Images per batch in evaluation, also while networks are trained or tuned."
    )
    split: Literal["validation", "test"] = Field(
        default="test",
        description="Evaluate on this split: `validation` to choose among networks, `test` to report what was chosen.",
    )
    test_images: int | None = Field(
        default=None,
        ge=1,
        description="Evaluate on this many images, the first of the test split, or of each of its named sets; default: "
        "all. `validation` is always used whole.",
    )

    @model_validator(mode="after")
    def _has_root(self) -> Self:
        if self.root is None and self.dataset in set(names.DATASETS) - set(names.DATASETS_WITHOUT_ROOT):
            raise checks.fault(f"has no root; say in which folder {self.dataset} lies (data.root=FOLDER)")
        return self

    @model_validator(mode="after")
    def _names_a_commit(self) -> Self:
        if self.root is None or not is_hub(self.root):
            return self
        try:
            pinned = HubReference.parse(self.root).is_pinned
        except BadInputError as error:
            raise checks.fault(f"root: {error}") from None
        if not pinned or self.dataset != "huggingface":
            raise checks.fault(
                f"root is {self.root}; data on the hub is `dataset: huggingface` at a commit, so that it stays what it "
                "is: hf://OWNER/NAME@COMMIT, with the 40 digits of the commit"
            )
        return self
