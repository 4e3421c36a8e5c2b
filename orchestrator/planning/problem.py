"""The problem of a model as parameters of tasks: its data set, and what it is for."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.spec.data import DataSpec
from jobs.spec.objective import ObjectiveSpec
from jobs.stages.common import CalibrationParams, DatasetParams, ObjectiveParams
from jobs.task import Locations


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a network is trained, tuned and evaluated on.

    Attributes:
        spec: The data as the sweep file has it: which split is evaluated, and in which batches.
        data: The data set, as a parameter of tasks.
        objective: What the network is for, as a parameter of tasks.
    """

    spec: DataSpec
    data: DatasetParams
    objective: ObjectiveParams

    @classmethod
    def of(cls, data: DataSpec, objective: ObjectiveSpec, *, fingerprint: str, sources: Mapping[str, str]) -> "Problem":
        """The problem that the parts of a sweep file state.

        Args:
            data: The data set.
            objective: The objective.
            fingerprint: Of the data.
            sources: Import path of the user's own code -> its fingerprint.
        """
        return cls(
            spec=data,
            data=DatasetParams(
                dataset=data.dataset,
                source=sources.get(data.dataset),
                arguments=data.arguments,
                normalize=data.normalize,
                fingerprint=fingerprint,
            ),
            objective=ObjectiveParams(
                name=objective.name, source=sources.get(objective.name), settings=objective.settings or None
            ),
        )

    @property
    def location(self) -> Locations:
        """Where the data set is, and how it is read."""
        spec = self.spec
        return Locations(data=spec.root, data_workers=spec.workers, evaluation_batch_size=spec.batch_size)

    def images(self, num_images: int | None) -> CalibrationParams:
        """Calibration data of `num_images` images of the training split; None: all."""
        return CalibrationParams(data=self.data, num_images=num_images)
