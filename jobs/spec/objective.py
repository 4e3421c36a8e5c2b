"""Objectives: what networks are for. A plain name stands for the record of that kind with its defaults.

An import path stands for one of the user's own.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from jobs import checks, names
from jobs.errors import nearest
from jobs.spec.base import Record


class ObjectiveRecord(Record):
    """Base of all objectives."""

    kind: str

    @property
    def name(self) -> str:
        """One of ours, or the user's own `package.module:callable`."""
        return self.kind

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments of what makes the objective."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class ClassificationObjective(ObjectiveRecord):
    """From an image to its class: cross-entropy, accuracy."""

    kind: Literal["classification"] = "classification"


class SuperResolutionObjective(ObjectiveRecord):
    """From an image to one `scale` times as high and wide: PSNR and SSIM."""

    kind: Literal["super-resolution"]
    scale: Literal[2, 3, 4] = Field(description="Must be that of the data and of the networks.")
    loss: Literal["l1", "mse"] = Field(default="l1", description="EDSR is trained with `l1`, SRCNN with `mse`.")
    shave: int | None = Field(
        default=None, ge=0, description="Pixels left out at every border by the metrics; default: `scale`."
    )
    tile: int | None = Field(
        default=None,
        ge=16,
        description="Evaluate by tiles of this side, in pixels of the network's input, for images that would not fit "
        "into memory; default: whole.",
    )
    overlap: int = Field(
        default=32,
        ge=0,
        description="Pixels of its surroundings that a tile gets on every side. The result is that of whole images "
        "where that is as many as the network sees: 6 of SRCNN 9-1-5, two for each block and four more of EDSR.",
    )
    self_ensemble: bool = Field(
        default=False, description="Evaluate by the mean over the eight flips and quarter turns of an image."
    )


class SegmentationObjective(ObjectiveRecord):
    """From an image to the class of every pixel: cross-entropy, mean intersection over union."""

    kind: Literal["segmentation"]
    auxiliary_weight: float = Field(
        default=0.5, ge=0, description="Weight of the loss of an auxiliary output, in training."
    )


class DetectionObjective(ObjectiveRecord):
    """From an image to boxes with classes: the detector's own losses, mean average precision."""

    kind: Literal["detection"]


class OwnObjective(ObjectiveRecord):
    """One of your own."""

    kind: Literal["own"]
    make: Annotated[str, AfterValidator(checks.known_or_own(()))] = Field(
        description="`package.module:callable`, which gives a `workers.objectives.Objective`."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its keyword arguments.")

    @property
    def name(self) -> str:
        """Its import path."""
        return self.make

    @property
    def settings(self) -> dict[str, Any]:
        """Its keyword arguments."""
        return self.arguments


OBJECTIVE_KINDS = (*names.OBJECTIVES, "own")


def _record(value: Any) -> Any:
    """The record that a plain name stands for, or an import path."""
    if not isinstance(value, str):
        return value
    if ":" in value:
        return {"kind": "own", "make": value}
    if value not in names.OBJECTIVES:
        raise checks.fault(
            f"'{value}' is unknown; {nearest(value, names.OBJECTIVES)} (your own is written package.module:callable)"
        )
    return {"kind": value}


ObjectiveSpec = Annotated[
    ClassificationObjective | SuperResolutionObjective | SegmentationObjective | DetectionObjective | OwnObjective,
    Field(discriminator="kind"),
    BeforeValidator(_record),
]
