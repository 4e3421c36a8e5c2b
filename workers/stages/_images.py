"""The images of a stage: the data set of its parameters, and calibration images drawn from it."""

import torch

from jobs.stages.base import StageParams
from jobs.stages.common import CalibrationParams, DatasetParams
from workers.data import ImageData, Split, load_dataset
from workers.stages._base import Context


def read_data(context: Context[StageParams], data: DatasetParams) -> ImageData:
    """A data set, from the task's data root.

    Raises:
        BadInputError: It cannot be read on this machine.
    """
    normalize = data.normalize
    return load_dataset(
        data.dataset,
        context.task.locations.data,
        normalize=(normalize.mean, normalize.std) if normalize else None,
        arguments=data.arguments,
        content=f"{data.fingerprint} {data.source}",
        workers=context.task.locations.data_workers,
    )


def draw_images(context: Context[StageParams], images: CalibrationParams) -> Split:
    """Calibration images: a subset of the training split, drawn by the task's seed."""
    train = read_data(context, images.data).train
    if images.num_images is None:
        return train
    return train.select(torch.randperm(len(train), generator=context.generator("images"))[: images.num_images])
